"""Mean kinetic temperature: the one temperature that would do the same thermal damage as the real course.

T_K = (ΔH/R) / −ln(Σ tᵢ·exp(−ΔH/(R·Tᵢ)) / Σ tᵢ), Tᵢ in kelvin, tᵢ the time that Tᵢ stands for. With the customary
ΔH = 83.144 kJ/mol and R = 8.3144 J/(mol·K), ΔH/R is 10,000 K (USP <1160>, <1079.2>).
"""

from __future__ import annotations

import math

ACTIVATION_K = 10_000.0
ZERO_C_IN_K = 273.15
# Below this exp(−10000/T) leaves the range of double precision; nothing on earth is stored there.
COLDEST_K = 20.0


def arrhenius(temperature_c: float) -> float:
    """exp(−10000/T) of one temperature: the speed at which goods age, up to a factor that cancels out."""
    return math.exp(-ACTIVATION_K / max(temperature_c + ZERO_C_IN_K, COLDEST_K))


ARRHENIUS_SQL = f"exp(-{ACTIVATION_K} / greatest(temperature_c + {ZERO_C_IN_K}, {COLDEST_K}))"


def mean_kinetic_temperature_c(weighted_arrhenius: float, weighted_seconds: float) -> float | None:
    """The MKT in °C from Σt·exp(−10000/T) and Σt; None where nothing was measured."""
    if weighted_seconds <= 0 or weighted_arrhenius <= 0:
        return None
    return ACTIVATION_K / -math.log(weighted_arrhenius / weighted_seconds) - ZERO_C_IN_K
