"""Add the profiles of the CDC to systems that have profiles already; new systems get them with all others.

A profile of the same name, whoever made it, is left alone.
"""

from django.db import migrations

DELAYS = {
    "vaccine refrigerator (CDC)": (1_800, 900),
    "vaccine freezer (CDC)": (2_700, 2_700),
}
LIMITS_C = {"vaccine refrigerator (CDC)": (2.0, 8.0), "vaccine freezer (CDC)": (-50.0, -15.0)}
SOURCE = "Source: CDC Vaccine Storage and Handling Toolkit, March 2024"
DESCRIPTIONS = {
    "vaccine refrigerator (CDC)": (
        f"2 to 8 °C. {SOURCE}, which wants readings at least every 30 minutes and action on every excursion (secondary: "
        "summaries). Doubts: the toolkit gives no delays and no critical limits of its own; the delays are practice."
    ),
    "vaccine freezer (CDC)": (
        f"−50 to −15 °C. {SOURCE} (secondary: summaries). Doubts: the toolkit gives no delays and no critical limits of "
        "its own; the delays are practice and outlast a defrost."
    ),
}


def add_profiles(apps, schema_editor):
    LimitProfile = apps.get_model("alarms", "LimitProfile")
    if not LimitProfile.objects.exists():
        return
    for name, (low_c, high_c) in LIMITS_C.items():
        high_seconds, low_seconds = DELAYS[name]
        values = {
            "description": DESCRIPTIONS[name],
            "low_critical_c": low_c,
            "low_warning_c": low_c,
            "high_warning_c": high_c,
            "high_critical_c": high_c,
            "high_delay_seconds": high_seconds,
            "high_critical_delay_seconds": high_seconds,
            "low_delay_seconds": low_seconds,
            "low_critical_delay_seconds": low_seconds,
        }
        LimitProfile.objects.get_or_create(name=name, defaults=values)


class Migration(migrations.Migration):
    dependencies = [("alarms", "0012_budgets_of_one_side")]

    operations = [migrations.RunPython(add_profiles, migrations.RunPython.noop)]
