"""Give each file of an import a mapping of its own, in place of one for all of them."""

import customers.models
import django.contrib.postgres.fields
from django.db import migrations, models


MOVED = (
    "date_field",
    "decimal_mark",
    "delimiter",
    "encoding",
    "error_values",
    "facility_field",
    "factor",
    "mapping_origin",
    "null_values",
    "offset",
    "quality_field",
    "readings_path",
    "row_filter",
    "scale",
    "scale_field",
    "sensor_field",
    "set_temperature_field",
    "several_temperatures",
    "skip_until_header",
    "skips_without_temperature",
    "status_field",
    "temperature_field",
    "time_field",
    "time_format",
    "time_zone",
    "unit_field",
    "unit_name_field",
)
# The columns and settings of an import are those of its files; "offset" is a reserved word.
TO_FILES = f"""
UPDATE import_file SET {", ".join(f'"{name}" = file_import."{name}"' for name in MOVED)}
FROM file_import WHERE file_import.id = file_import_id
"""
TO_IMPORTS = f"""
UPDATE file_import SET {", ".join(f'"{name}" = first."{name}"' for name in MOVED)}
FROM (SELECT DISTINCT ON (file_import_id) * FROM import_file ORDER BY file_import_id, id) AS first
WHERE file_import.id = first.file_import_id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0018_url_secrets"),
    ]

    operations = [
        migrations.AddField(
            model_name="importfile",
            name="date_field",
            field=models.CharField(
                blank=True,
                help_text="Field or column of the date, if the time's holds only the time of day.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="decimal_mark",
            field=models.CharField(blank=True, help_text="“.” or “,”. Leave empty to detect it.", max_length=1),
        ),
        migrations.AddField(
            model_name="importfile",
            name="delimiter",
            field=models.CharField(blank=True, help_text="CSV: one character. Leave empty to detect it.", max_length=1),
        ),
        migrations.AddField(
            model_name="importfile",
            name="encoding",
            field=models.CharField(
                blank=True, help_text="Leave empty for UTF-8 with Windows-1252 as fallback.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="error_values",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                db_default=models.Value(
                    [],
                    output_field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), size=None
                    ),
                ),
                default=list,
                help_text="Numbers by which sensors report faults, separated by commas, for example 85, -127, 327.67, 999.9. Rows with them are rejected.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="facility_field",
            field=models.CharField(
                blank=True, help_text="Field or column of the facility's code; “=text” is a constant.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="factor",
            field=models.FloatField(db_default=1, default=1, help_text="Temperatures are multiplied by it."),
        ),
        migrations.AddField(
            model_name="importfile",
            name="header_digest",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="importfile",
            name="header_titles",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name="importfile",
            name="mapping_origin",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="The template or saved mapping in use.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="null_values",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                default=list,
                help_text="Values that mean “no measurement”, separated by commas.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="offset",
            field=models.FloatField(
                db_default=0, default=0, help_text="Added to temperatures, on the scale that was sent."
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="quality_field",
            field=models.CharField(
                blank=True, help_text="Field or column of the quality score, 0 to 1.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="readings_path",
            field=models.CharField(
                blank=True,
                help_text="JSON: dotted path of the list of readings. Leave empty to detect it.",
                max_length=200,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="row_filter",
            field=models.CharField(
                blank=True, help_text="Read only some rows, for example: _field = temperature, temp.", max_length=200
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="scale",
            field=models.CharField(
                blank=True,
                choices=[("C", "°C"), ("F", "°F"), ("K", "K")],
                help_text="If no field or column title gives the scale.",
                max_length=1,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="scale_field",
            field=models.CharField(
                blank=True, help_text="Field or column of the scale; “=text” is a constant.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="sensor_field",
            field=models.CharField(
                blank=True, help_text="Field or column of the sensor's code; “=text” is a constant.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="set_temperature_field",
            field=models.CharField(blank=True, help_text="Field or column of the set temperature.", max_length=100),
        ),
        migrations.AddField(
            model_name="importfile",
            name="several_temperatures",
            field=models.CharField(
                blank=True,
                choices=[("", "Sensors of one unit"), ("units", "Storage units")],
                help_text="What several temperature columns are.",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="skip_until_header",
            field=models.BooleanField(default=False, help_text="CSV: skip lines before the header."),
        ),
        migrations.AddField(
            model_name="importfile",
            name="skips_without_temperature",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Otherwise they are readings without a measurement.",
                verbose_name="skip rows without a temperature",
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="status_field",
            field=models.CharField(blank=True, help_text="Field or column of the equipment status.", max_length=100),
        ),
        migrations.AddField(
            model_name="importfile",
            name="temperature_field",
            field=models.CharField(blank=True, help_text="Field or column of the temperature.", max_length=100),
        ),
        migrations.AddField(
            model_name="importfile",
            name="time_field",
            field=models.CharField(
                blank=True,
                help_text="Field or column of the time; “=received” uses the time of the response.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="time_format",
            field=models.CharField(
                blank=True,
                help_text="For example %d/%m/%Y %H:%M, or excel for a spreadsheet's days. Leave empty for unambiguous common formats.",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="time_zone",
            field=models.CharField(
                default="UTC",
                help_text="For times without an offset.",
                max_length=64,
                validators=[customers.models.validate_time_zone],
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="unit_field",
            field=models.CharField(
                blank=True, help_text="Field or column of the unit's code; “=text” is a constant.", max_length=100
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="unit_name_field",
            field=models.CharField(blank=True, help_text="Field or column of the unit's name.", max_length=100),
        ),
        migrations.RunSQL(TO_FILES, TO_IMPORTS),
        migrations.RemoveField(
            model_name="fileimport",
            name="date_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="decimal_mark",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="delimiter",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="encoding",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="error_values",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="facility_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="facility_time_zone",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="factor",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="mapping_origin",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="null_values",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="offset",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="quality_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="readings_path",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="row_filter",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="scale",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="scale_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="sensor_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="set_temperature_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="several_temperatures",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="skip_until_header",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="skips_without_temperature",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="status_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="temperature_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="time_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="time_format",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="time_zone",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="unit_field",
        ),
        migrations.RemoveField(
            model_name="fileimport",
            name="unit_name_field",
        ),
        migrations.AlterField(
            model_name="conflict",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("accepted", "Accepted"),
                    ("dismissed", "Dismissed"),
                    ("undone", "Import undone"),
                ],
                default="waiting",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="importfile",
            name="read_bytes",
            field=models.PositiveBigIntegerField(default=0, help_text="How much of it has been stored, or undone."),
        ),
        migrations.AlterField(
            model_name="rejectedrow",
            name="state",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("replayed", "Replayed"),
                    ("dismissed", "Dismissed"),
                    ("undone", "Import undone"),
                ],
                default="waiting",
                max_length=9,
            ),
        ),
    ]
