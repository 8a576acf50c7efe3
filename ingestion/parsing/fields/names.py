"""The names by which columns and keys are recognised, in the canonical form of `ingestion.parsing.fields.titles`."""

from __future__ import annotations

from ingestion.sources.mapping import FieldMapping

# The fields of a row, and the names tried in order if the mapping names none.
# storage_room is the unit's name in one layout, and the only identification of the unit in another.
DEFAULT_NAMES: dict[str, tuple[str, ...]] = {
    "customer": ("customer_id", "customer_code", "customer"),
    "facility": ("facility_id", "facility_code", "facility", "site_id", "site"),
    "unit": ("unit_id", "unit_code", "storage_unit_id", "storage_unit", "storage_room"),
    "unit_name": ("unit_name", "storage_room"),
    "sensor": ("sensor_id", "sensor_code", "sensor"),
    "time": ("timestamp", "recorded_at", "datetime", "date_time", "time", "date"),
    "temperature": ("temperature", "temp"),
    "scale": (
        "temperature_unit", "degrees", "scale", "unit", "units", "uom", "temperature_scale", "temperature_units",
        "temp_unit", "temp_units", "temp_scale", "temp_uom", "temperature_uom", "tempunit", "temperatureunit",
        "unit_of_measurement", "unit_of_measure", "unitofmeasure", "unitofmeasurement", "measurement_unit",
        "measure_unit", "engineering_unit", "engineering_units", "einheit", "unité", "unidad",
        "unit_system", "units_system", "system_of_units", "measurement_system", "is_fahrenheit", "is_celsius",
        "use_fahrenheit", "use_celsius",
    ),
    "quality": ("quality_score", "quality"),
    "status": ("equipment_status", "status"),
    "set_temperature": ("set_temperature", "setpoint", "set_point"),
    "facility_name": ("facility_name",),
    "city": ("city",),
    "country": ("country",),
    "size": ("size",),
    "size_unit": ("size_unit",),
}  # fmt: skip
# Names of a time that are less certain than the default ones.
FURTHER_TIME_NAMES = (
    "ts", "time_stamp", "created_at", "measured_at", "sampled_at", "observed_at", "logged_at", "reading_time",
    "measurement_time", "event_time", "log_time", "time_utc", "utc_time", "timestamp_utc", "utc", "local_time",
    "start_date_time", "startdatetime", "observed", "last_changed", "last_updated", "zeitstempel", "日時", "date_heure",
    "datum_zeit", "datum_uhrzeit", "fecha_hora", "fecha_y_hora", "horodatage", "data_ora", "data_hora",
    "uhrzeit", "zeit", "hora", "heure", "ora", "时间", "日期时间", "datum", "fecha",
    "data_i_godzina", "data_godzina", "czas", "datum_a_čas", "datum_čas", "čas", "data_e_ora", "data_e_hora",
    "datum_en_tijd", "datum_tijd", "tijdstip", "dato_tid", "tidspunkt",
    "sample_time", "record_time", "recorded", "recorded_on", "measured_on", "reading_date_time", "measurement_date",
    "measurement_date_time", "local_date_time", "date_observed", "phenomenon_time", "unix_time", "epoch",
    "datum_und_uhrzeit", "datum_und_zeit", "messzeit", "messzeitpunkt", "messdatum", "zeitpunkt", "date_et_heure",
    "date_de_mesure", "fecha_de_lectura", "fecha_de_medición", "data_da_leitura", "data_lettura", "tijd",
    "dato_og_tid", "datum_tid", "datum_och_tid", "tid", "päivämäärä_ja_aika", "aika", "data_i_czas", "data_czas",
    "czas_pomiaru", "dátum_idő", "időpont", "tarih_saat", "tarih_ve_saat", "дата_время", "дата_и_время", "время",
    "測定日時", "測定時刻", "時刻", "测量时间", "날짜_시간", "측정시간", "saat", "idő",
)  # fmt: skip
TIME_NAMES = frozenset({*DEFAULT_NAMES["time"], *FURTHER_TIME_NAMES})
TIME_PREFIXES = ("timestamp_", "date_time_", "datetime_", "time_stamp_", "date_and_time")
DATE_NAMES = ("date", "datum", "fecha", "dato", "data", "日期", "päivämäärä", "dátum", "tarih", "дата", "日付", "날짜")
CLOCK_NAMES = (
    "time", "uhrzeit", "zeit", "hora", "heure", "ora", "klokkeslett", "tid", "时间", "tijd", "aika", "idő", "saat",
    "время", "時刻",
)  # fmt: skip
# A value's column if the row says in another column what it measures, or on which scale.
VALUE_NAMES = ("value", "reading", "measured_value", "val", "state", "messwert", "wert", "valor", "valeur")
QUANTITY_NAMES = (
    "field", "quantity", "measurement", "parameter", "variable", "value_type", "valuetype", "measure", "metric",
    "reading_type", "property", "observed_property", "sensor_type", "type",
)  # fmt: skip
# Columns that tell units or sensors apart, without being called so.
UNIT_LIKE_NAMES = (
    "device", "device_id", "device_name", "deviceid", "dev_eui", "deveui", "room", "room_id", "room_name", "freezer",
    "freezer_id", "fridge", "fridge_id", "refrigerator", "chamber", "logger", "logger_id", "logger_name",
    "module_name", "station", "station_id", "asset", "asset_id", "appliance", "cabinet", "equipment", "equipment_id",
    "raum", "kühlraum", "kuehlraum", "gerät", "geraet", "kühlschrank", "kuehlschrank", "gefrierschrank",
    "appareil", "chambre", "réfrigérateur", "congélateur", "enregistreur", "equipo", "cámara", "nevera", "congelador",
    "dispositivo", "cella", "frigorifero", "apparaat", "koelkast", "urządzenie", "pomieszczenie", "rejestrator",
    "zařízení", "místnost", "设备", "機器", "装置",
)  # fmt: skip
# Columns that are the storage unit if no other is, as they may also describe one that is named.
DEVICE_NUMBER_NAMES = (
    "serial", "serial_number", "serialnumber", "serial_no", "sn", "s_n", "device_serial", "logger_serial", "mac",
    "mac_address", "imei", "thing_name", "thing",
)  # fmt: skip
UNIT_IF_NONE_NAMES = (
    *DEVICE_NUMBER_NAMES, "location", "location_id", "location_name", "cold_room", "container", "vehicle", "trailer",
)  # fmt: skip
# Columns that may tell units or sensors apart, or may number the rows: their values decide, and are noted otherwise.
PART_NAMES = ("position", "shelf", "node", "node_id", "area", "zone")
UNCERTAIN_NAMES = ("id", "label", "host", "instance", "site_name", "store_name", *PART_NAMES)
MAYBE_IDENTIFYING_NAMES = (*UNCERTAIN_NAMES, "source", "title", "description")
SENSOR_LIKE_NAMES = (
    "probe", "probe_id", "probe_name", "channel", "channel_id", "channel_name", "entity", "entity_id", "series",
    "series_id", "sensor_name", "sensorid", "name", "tag", "tag_name", "point", "point_name", "topic",
    "fühler", "messfühler", "messstelle", "kanal", "sonde", "capteur", "sonda", "canal", "sensore", "czujnik", "kanał",
    "čidlo", "senzor", "传感器", "センサー",
)  # fmt: skip
# Of what sends the readings of several devices.
GATEWAY_NAMES = ("gateway", "gateway_id", "gateway_name", "gateway_eui", "hub", "hub_id", "base_station")
# Of marks that a value is none, or an old one.
MARK_NAMES = (
    "valid", "is_valid", "invalid", "is_invalid", "error", "error_code", "fault", "online", "is_online", "connected",
    "stale", "is_stale", "flag", "flags", "offline", "is_offline",
)  # fmt: skip
# Names of JSON objects that describe a device or a part of one, and of the members that hold its code, in order.
DESCRIPTION_NAMES = frozenset(
    {
        *DEFAULT_NAMES["facility"], *DEFAULT_NAMES["unit"], *DEFAULT_NAMES["sensor"], *UNIT_LIKE_NAMES,
        *UNIT_IF_NONE_NAMES, *SENSOR_LIKE_NAMES, "device_info", "end_device_ids",
    }
)  # fmt: skip
CODE_NAMES = ("id", "code", "uuid", "device_id", "dev_eui", "deveui", *DEVICE_NUMBER_NAMES, "name")
# Names of the list of rows in a JSON body, of the rows of a table with its titles beside them, and of other lists. The
# name of any other list may be that of a device.
ROW_LISTS = ("readings", "data", "items", "results")
TABLE_ROWS = ("data", "rows", "values", "points", "readings", "results")
LISTS_OF_NO_DEVICE = frozenset(
    {
        *ROW_LISTS, *TABLE_ROWS, "result", "feeds", "records", "measurements", "history", "list", "features",
        "observations", "content", "payload", "response", "body", "entries", "logs", "log", "telemetry", "samples",
        "series", "sensors", "devices", "units", "rooms", "value", "messages", "measures", "datapoints", "data_points",
        "reading", "measurement", "timeseries", "time_series", "sites", "facilities", "channels", "probes", "events",
    }
)  # fmt: skip
# Names of members around the rows of a JSON list that hold for all of them.
IDENTITY_AROUND = {
    "facility": frozenset(DEFAULT_NAMES["facility"]),
    "unit": frozenset({*DEFAULT_NAMES["unit"], *UNIT_LIKE_NAMES}),
    "sensor": frozenset({*DEFAULT_NAMES["sensor"], "probe", "probe_id", "channel", "channel_id", "entity_id"}),
}
# Both a scale and a storage unit are called this: the values decide.
AMBIGUOUS_UNIT_NAMES = frozenset({"unit", "units"})
# Fields that describe the unit rather than the reading.
UNIT_ATTRIBUTES = ("unit_name", "facility_name", "city", "country", "set_temperature", "size", "size_unit")
# A file without one of these mapped columns is rejected: a default would invent data.
REQUIRED_IF_MAPPED = ("facility", "unit", "sensor", "time", "temperature", "scale", "date")


def mapped_name(mapping: FieldMapping, field: str) -> str:
    """Return the mapping's setting for `field`: a name, "=constant", or "" for the default names."""
    name: str = getattr(mapping, f"{field}_field", "")
    return name


def constant_fields(mapping: FieldMapping) -> dict[str, str]:
    """Return the fields that the mapping sets to a constant, except the time of the response."""
    named = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES if field != "time"}
    return {field: name[1:] for field, name in named.items() if name.startswith("=")}
