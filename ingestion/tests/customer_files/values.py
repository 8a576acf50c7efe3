"""Numbers and scales as they are written."""

from __future__ import annotations

from ingestion.tests.customer_files.customer_file import file

NUMBERS = [
    file("c04_thousands.csv", reasons={2: "above_1000_c", 3: "above_1000_c", 4: "not_a_number"}, decimal_mark=","),
    file("c04_thousands.csv", reasons={2: "above_1000_c", 3: "above_1000_c", 4: "not_a_number"}),
    file(
        "c05_totals.csv",
        "2026-03-13T10:00:00 4.5 C",
        "2026-03-13T10:05:00 4.7 C",
        says=("3 lines that are no readings",),
        reasons={4: "unreadable_time", 5: "wrong_number_of_columns", 6: "unreadable_time"},
    ),
    file("c11_negzero.csv", "2026-03-13T10:00:00 0 C", "2026-03-13T10:05:00 0 C"),
    file(
        "c13_words.csv",
        "2026-03-13T10:12:00 4.5 C",
        says=("null values",),
        reasons=dict.fromkeys((2, 3), "not_finite") | dict.fromkeys(range(4, 14), "not_a_number"),
    ),
    file(
        "c14_ds18b20.csv",
        "2026-03-13T10:00:00 85 C",
        "2026-03-13T10:05:00 none C",
        "2026-03-13T10:10:00 none C",
        "2026-03-13T10:15:00 none C",
        "2026-03-13T10:20:00 4.5 C",
        says=("power-on value",),
        null_values=("-127",),
    ),
    file(
        "c14_ds18b20.csv",
        "2026-03-13T10:20:00 4.5 C",
        reasons=dict.fromkeys((2, 3, 4, 5), "sensor_error"),
        error_values=("85", "-127"),
    ),
    file(
        "c15_sentinels.csv",
        "2026-03-13T10:06:00 -200 C",
        "2026-03-13T10:07:00 999.9 C",
        "2026-03-13T10:08:00 -273.1 C",
        "2026-03-13T10:09:00 327.67 C",
        "2026-03-13T10:10:00 4.5 C",
        says=("327.67, a common error code", "999.9, a common error code"),
        reasons={
            2: "above_1000_c",
            3: "below_absolute_zero",
            4: "below_absolute_zero",
            5: "above_1000_c",
            6: "below_absolute_zero",
            7: "above_1000_c",
        },
    ),
    file(
        "c18_exp.csv",
        "2026-03-13T10:00:00 4.5 C",
        "2026-03-13T10:05:00 10 C",
        "2026-03-13T10:25:00 0.5 C",
        "2026-03-13T10:30:00 5 C",
        reasons=dict.fromkeys((4, 5, 6, 9, 10), "not_a_number"),
    ),
    file("c31c_decimal_comma_unquoted.csv", fails="decimal_comma", says=('"4,5"',)),
    file(
        "c53_tab_in_comma.csv",
        "2026-03-13T10:00:00 4.5 C",
        "2026-03-13T10:05:00 4.6 C",
        "2026-03-13T10:15:00 4.8 C",
        "2026-03-13T10:20:00 4.9 C",
        "2026-03-13T10:25:00 4.9 C",
        reasons={4: "not_a_number"},
    ),
    file("c44_json_comma.json", "u1/ 2026-03-13T10:05:00 4.6 C", reasons={1: "not_a_number"}),
    file("c47_tsv_comma.txt", "2026-03-13T10:00:00 4.5 C"),
    file("e09_crc_row.csv", "2026-03-13T10:00:00 -0.0625 C", "2026-03-13T10:05:00 4.5 C"),
    file("e15_tenths.json", "u1/ 2026-03-13T10:05:00 45 C", reasons={1: "above_1000_c"}),
    file("e15_tenths.json", "u1/ 2026-03-13T10:00:00 30.5 C", "u1/ 2026-03-13T10:05:00 0.45 C", factor=0.01),
]

SCALES = [
    file(
        "c06_mixed_units.csv",
        "2026-03-13T10:00:00 4.5 C",
        "2026-03-13T10:05:00 4.6 C",
        "2026-03-13T10:10:00 40.1 F",
        "2026-03-13T10:15:00 41 F",
    ),
    file("c49_unit_column.csv", "2026-03-13T10:00:00 41 F", "2026-03-13T10:05:00 42.8 F"),
    file("c49b_unit_json.json", "u1/ 2026-03-13T10:00:00 41 F", "u1/ 2026-03-13T10:05:00 41.5 F"),
    file("c49c_preamble_unit.csv", "2026-03-13T10:00:00 41 F"),
    *(
        file(f"{name}.csv", "2026-03-13T10:00:00 41 F")
        for name in (
            "c50_title_variants",
            "c50b_title_variants",
            "c50c_title_variants",
            "c50d_title_variants",
            "c50e_title_variants",
            "c50f_mojibake",
        )
    ),
    file("c50_title_variants.csv", "2026-03-13T10:00:00 41 F", temperature_field="TempF"),
    file("c50f_mojibake.csv", "2026-03-13T10:00:00 41 F", temperature_field="Temperature (Â°F)"),
    file("e11_json_unit_obj.json", "d1/ 2026-03-13T10:00:00 41 F"),
    file("e13_json_tempunit.json", "u1/ 2026-03-13T10:00:00 41 F", "u1/ 2026-03-13T10:01:00 41 F"),
    file("e14_kelvin.json", "u1/ 2026-03-13T10:00:00 277.65 K"),
    file("a27_rtl433.ndjson", "/1 2026-08-29T10:00:00 41 F", "/1 2026-08-29T10:01:00 42.8 F"),
    file("a38_govee_api.json", fails="no_readings_list"),
    file(
        "a38_govee_api.json",
        "2026-11-23T12:00:00 86.9 F",
        time_field="=received",
        temperature_field="payload.sensorTemperature",
        scale="F",
    ),
]
