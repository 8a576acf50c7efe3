"""Recognise what a column's title or a key says: the quantity, and the scale of a temperature.

Titles come from data loggers, spreadsheets and APIs in many spellings ("Temp, °F (LGR S/N: 1)", "tempF",
"Temperature [deg. C]", "AirT_Max"). Every format asks these functions, so that they all agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache, wraps
from typing import TypeVar

from readings.units.scales import Scale, parse_scale

# UTF-8 that was decoded as cp1252 or Latin-1, once or twice; references to the degree sign; and one that was lost
# altogether, or decoded from the code pages of DOS or of old Macs.
_MOJIBAKE = (
    ("Ã‚Â", ""), ("Ã\x82Â", ""), ("Ã‚", ""), ("Â", ""), ("â„ƒ", "°C"), ("â„‰", "°F"),
    ("&deg;", "°"), ("&#176;", "°"), ("\\u00b0", "°"), ("\\u00B0", "°"),
)  # fmt: skip
# Without one of these characters, plain ASCII has nothing to restore.
_DAMAGED_ASCII = re.compile(r"[&\\?]")
_LOST_DEGREE = re.compile(r"(?:\ufffd|(?<![^\W_])(?:ï¿½|[?ø¡]))\s?(?=[CFck]\b)")
# A degree sign or what is used as one, or the word, before the scale's letter. Not "c:1" or "(C)".
_DEGREES = re.compile(
    r"(?:[°º˚*]|\bdeg(?:rees?)?\b\.?|\bgrad\b)[\s_]*(?P<scale>celsius|fahrenheit|kelvin|[cfk])(?![a-z])", re.I
)
_DEGREES_JOINED = re.compile(r"(?<![a-z])deg(?P<scale>[cfk])(?![a-z])", re.I)
_SCALE_WORD = re.compile(
    r"(?<![a-z])(?P<scale>celsius|celcius|centigrade|fahrenheit|farenheit|fahrenhiet|ferenheit|fahr|kelvin)(?![a-z])",
    re.I,
)
_TEMPERATURE_AND_LETTER = re.compile(r"temp(?:erature|s)?[\s_./,;-]*(?P<scale>[cfk])(?![a-z:])", re.I)
# "F Temp", "f_temperature".
_LETTER_AND_TEMPERATURE = re.compile(r"(?<![a-z0-9])(?P<scale>[cfk])[\s_.-]+temp", re.I)
# Of requests to APIs, in place of a scale.
_UNIT_SYSTEMS = {"imperial": Scale.FAHRENHEIT, "us_customary": Scale.FAHRENHEIT, "metric": Scale.CELSIUS}
_UNKNOWN_SCALE = re.compile(r"°\s?(?:R(?:a|e|é|o|ø)?|D|N)(?![a-zé])|(?<![a-z])(?:rankine|r[ée]aumur)(?![a-z])", re.I)
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_WORDS = re.compile(r"[^\W\d_]+")
_CANONICAL = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*+")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_Result = TypeVar("_Result")
# Of a title: what is longer is none.
_MAX_CHARACTERS = 500


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEMPERATURE_WORDS = _word_set(
    """
    temp temps tmp temperature temperatures temperatur temperaturen température temperatura temperaturas temperatuur
    teplota lämpötila hőmérséklet sıcaklık temperatură температура температуры 温度 溫度 온도 기온 celsius celcius
    centigrade fahrenheit kelvin
    """
)
_AGGREGATE_WORDS = _word_set(
    """
    min max avg average mean minimum maximum high low hi lo median mittelwert moyenne promedio media
    """
)
# Temperatures of something else than the goods or the air around them, and settings.
_OTHER_TEMPERATURE_WORDS = _word_set(
    """
    dew dewpoint dewpt dpt taupunkt setpoint set sp target sollwert soll consigne consigna limit limits alarm alarms
    alert threshold grenzwert upper lower wet wetbulb windchill chill feels apparent delta diff difference offset
    calibration correction nominal battery batt cpu mcu board chip processor std stdev deviation sd tolerance
    hysteresis heatindex rate sigma variance slope mkt kinetic desired required requested previous change warning
    """
)
_OTHER_QUANTITY_WORDS = _word_set(
    """
    humidity rh feuchte luftfeuchte humidité humedad humidade luftfeuchtigkeit relative moisture vpd 湿度 湿气 pressure
    druck pression presión barometer baro voltage volt volts battery batt current power energy co2 pm10 pm25 voc
    noise rssi snr lqi signal speed wind rain light lux altitude door count counter latitude longitude lat lon
    """
)
_FALSE_LIMITS = re.compile(r"ultra[\s_-]*low|(?:high|low)[\s_-]*(?:res|resolution|precision|accuracy)\b", re.I)
# Multiples of a degree: "Temp (x10 C)", "temp_c_x10", "Temperature (0.1 °C)", "temperature_millicelsius".
_MULTIPLE = re.compile(
    r"(?<![a-z0-9])[x×*/]\s*10+(?![0-9])|(?<![0-9])0[.,]0*1(?![0-9])|(?<![a-z])(?:tenths?|hundredths?|zehntel|hundertstel|"
    r"milli|centi(?!grade)|deci)|(?<![A-Za-z])m(?:°|deg)|(?<![A-Za-z])(?-i:mC|mK|dC|cC)(?![a-z])",
    re.I,
)
_UNIT_OF_OTHER_QUANTITY = re.compile(
    r"%\s*(?:rh|r\.h\.|rf|hr)?|rh|percent|[hkmµ]?pa|m?bar|psi|mmhg|inhg|atm|[mkµ]?v|volts?|[mkµ]?a|[mk]?w|k?wh|"
    r"pp[mb]|lux|lx|dbm?|m/s|km/h|mph|g/(?:m3|m³|kg)|[µu]g/(?:m3|m³)|k?hz|m{1,2}|cm|km|s|min|mins|l|kg|ph|µs/cm|us/cm|"
    r"on/off|bool|count",
    re.I,
)


class Quantity(Enum):
    """What a column or value measures, as far as its title shows."""

    TEMPERATURE = auto()
    # A minimum, maximum or average temperature of an interval.
    AGGREGATE = auto()
    # A set point, limit, dew point or the temperature of a device, which must not be taken for the unit's.
    OTHER_TEMPERATURE = auto()
    OTHER = auto()
    UNKNOWN = auto()


def _cached(function: Callable[[str], _Result]) -> Callable[[str], _Result]:
    """Cache what a function returns for a text, of which only the beginning counts: the cache must remain small."""
    cached = lru_cache(maxsize=4096)(function)

    @wraps(function)
    def of_beginning(text: str) -> _Result:
        return cached(text[:_MAX_CHARACTERS])

    return of_beginning


@dataclass(frozen=True, slots=True)
class TitleMeaning:
    """What a title says. `scale` is None if it names none or several."""

    quantity: Quantity
    scale: Scale | None = None

    @property
    def is_temperature(self) -> bool:
        """Whether it is a temperature of the unit, measured or aggregated."""
        return self.quantity in (Quantity.TEMPERATURE, Quantity.AGGREGATE)


def why_not_degrees(title: str) -> str:
    """Return why the numbers below a temperature's title are no degrees of a known scale, "" if they are."""
    text = repaired(title)
    if _MULTIPLE.search(text.replace("_", " ")):
        return "seems to hold multiples of a degree"
    is_unknown = _UNKNOWN_SCALE.search(text.replace("_", " ")) and not _explicit_scales(text)
    return "is on a scale that is not known" if is_unknown else ""


def switched_scale(name: str, value: bool) -> Scale | None:
    """Return the scale that a switch such as ``"isFahrenheit": true`` gives, None if it is none."""
    words = canonical(name).split("_")
    if words[-1] not in ("fahrenheit", "celsius") or words[:-1] not in ([], ["is"], ["use"], ["in"]):
        return None
    return Scale.FAHRENHEIT if (words[-1] == "fahrenheit") == value else Scale.CELSIUS


@_cached
def meaning_of(title: str) -> TitleMeaning:
    """Return what a title or key says."""
    text = repaired(title)
    words = _words(_FALSE_LIMITS.sub(" ", text))
    explicit = _explicit_scales(text)
    names_temperature = bool(words & _TEMPERATURE_WORDS) or _TEMPERATURE_AND_LETTER.search(text) is not None
    scales = explicit or (_letter_scales(text) if names_temperature else set())
    quantity = _quantity(words, names_temperature=names_temperature, has_explicit_scale=bool(explicit))
    if quantity in (Quantity.TEMPERATURE, Quantity.AGGREGATE) and why_not_degrees(title):
        quantity = Quantity.OTHER_TEMPERATURE
    return TitleMeaning(quantity, scales.pop() if len(scales) == 1 else None)


def repaired(text: str) -> str:
    """Return a text with its degree signs restored, in the compatibility form ("℃" becomes "°C")."""
    if text.isascii() and not _DAMAGED_ASCII.search(text):
        return text
    for wrong, right in _MOJIBAKE:
        text = text.replace(wrong, right)
    return unicodedata.normalize("NFKC", _LOST_DEGREE.sub("°", text).replace("º", "°").replace("˚", "°"))


@_cached
def canonical(name: str) -> str:
    """Return a name in lower case with its words joined by underscores: "Unit ID" and "unitId" become "unit_id"."""
    if _CANONICAL.fullmatch(name):
        return name
    text = _CAMEL.sub("_", repaired(name).strip())
    return re.sub(r"[\W_]+", "_", text).strip("_").casefold()


@_cached
def scale_of_text(text: str) -> Scale | None:
    """Return the scale that a whole text names ("C", "°F", "deg F", "(*C)", "degrees Celsius"), None if none."""
    cleaned = repaired(text).strip().strip("()[]{}").strip()
    scale = parse_scale(cleaned) or parse_scale(cleaned.replace("*", "°").replace("grad", "°", 1))
    return scale or _UNIT_SYSTEMS.get(canonical(cleaned))


def scale_of_path(path: str) -> Scale | None:
    """Return the scale that the last part of a dotted path names, else one of the parts before it."""
    return next((scale for part in reversed(path.split(".")) if (scale := meaning_of(part).scale)), None)


def explicit_scale(text: str) -> Scale | None:
    """Return the scale that a text names with a degree sign or a word, None if it names none or several."""
    scales = _explicit_scales(repaired(text))
    return scales.pop() if len(scales) == 1 else None


def is_unit_of_other_quantity(text: str) -> bool:
    """Return whether a text is the unit of a quantity other than temperature, such as "%" or "hPa"."""
    return _UNIT_OF_OTHER_QUANTITY.fullmatch(repaired(text).strip().strip("()[]").strip()) is not None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for part in _with_and_without_camels(text) for word in _WORDS.findall(part))


def _with_and_without_camels(text: str) -> set[str]:
    """Return a text as it is, and with the words of "tempF" apart."""
    return {text, _CAMEL.sub(" ", text)}


def _explicit_scales(text: str) -> set[Scale]:
    """Return the scales named by a degree sign or a word."""
    found = set()
    for part in _with_and_without_camels(text):
        for pattern in (_DEGREES, _DEGREES_JOINED, _SCALE_WORD):
            found |= {parse_scale(match["scale"]) for match in pattern.finditer(part)}
    return {scale for scale in found if scale}


def _letter_scales(text: str) -> set[Scale]:
    """Return the scale that a temperature's title names by its letter: in brackets, or as the last word."""
    for inside in _BRACKETS.findall(text):
        scale = parse_scale(inside) or (_letter_scale(inside) if _words(inside) & _TEMPERATURE_WORDS else None)
        if scale:
            return {scale}
    last = _letter_scale(_BRACKETS.sub("", text))
    return {last} if last else set()


def _letter_scale(text: str) -> Scale | None:
    match = _TEMPERATURE_AND_LETTER.search(text) or _LETTER_AND_TEMPERATURE.search(text)
    words = [word for word in re.split(r"[\s_,;:/.-]+", _CAMEL.sub(" ", text).strip()) if word]
    return parse_scale(match["scale"]) if match else parse_scale(words[-1]) if len(words) > 1 else None


def _quantity(words: frozenset[str], *, names_temperature: bool, has_explicit_scale: bool) -> Quantity:
    if names_temperature or has_explicit_scale:
        if words & _OTHER_TEMPERATURE_WORDS:
            return Quantity.OTHER_TEMPERATURE
        return Quantity.AGGREGATE if words & _AGGREGATE_WORDS else Quantity.TEMPERATURE
    if words & (_OTHER_QUANTITY_WORDS | _OTHER_TEMPERATURE_WORDS):
        return Quantity.OTHER
    return Quantity.UNKNOWN
