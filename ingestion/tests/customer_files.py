"""What each file in `inputs/` must come to: the exports of data loggers and the answers of customers' systems.

The files are written in the shapes of real exports. A reading is given as "unit/sensor time number scale"; the unit is
left out if it is the one named by the file, the sensor if there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CustomerFile:
    """A file, the settings it is imported with, and the expected result.

    `says` are parts of the notes, messages and reasons. `reasons` are those of the rejected rows, by their number;
    `fails` is the reason for which the whole file is refused.
    """

    name: str
    readings: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    reasons: dict[int, str] = field(default_factory=dict)
    fails: str = ""
    mapping: dict[str, Any] = field(default_factory=dict)
    unit: str = ""


def file(
    name: str,
    *readings: str,
    says: tuple[str, ...] = (),
    reasons: dict[int, str] | None = None,
    fails: str = "",
    unit: str = "",
    **mapping: Any,
) -> CustomerFile:
    """Return the expectation for a file."""
    return CustomerFile(
        name=name, readings=readings, says=says, reasons=reasons or {}, fails=fails, unit=unit, mapping=mapping
    )


LOGGERS = [
    file(
        "a01_hobo_u23.csv",
        "2026-01-13T09:00:00 31.44 F",
        "2026-01-13T22:00:00 41 F",
        says=("UTC-08:00", '"RH, %', "1 row without a temperature records an event"),
    ),
    file(
        "a04_boxcar.txt",
        "/Temperature c:1 2026-07-07T10:45:40 26.34 C",
        "/High-Res Temp c:1 2 2026-07-07T10:45:40 26.22 C",
        "/Temperature c:1 2026-07-17T11:45:40 24.4 C",
        "/High-Res Temp c:1 2 2026-07-17T11:45:40 24.35 C",
        says=("Several temperature columns", '"RH (%) c:3"'),
    ),
    file(
        "a04_boxcar.txt",
        "2026-07-07T10:45:40 26.22 C",
        "2026-07-17T11:45:40 24.35 C",
        temperature_field="High-Res Temp (*C) c:1 2",
    ),
    file(
        "a06_ibutton.csv",
        "2025-12-04T11:04:01 36.551 C",
        "2025-12-04T11:14:01 97.8 F",
        "2025-12-14T11:24:01 42.079 C",
    ),
    file("a07_elitech.tsv", fails="no_header"),
    file(
        "a07_elitech.tsv",
        "2026-06-07T13:53:36 25 C",
        "2026-06-07T13:53:46 25.1 C",
        "2026-06-07T13:53:56 25.2 C",
        time_field="#2",
        temperature_field="#3",
    ),
    file("a08_govee.csv", "2026-08-06T09:22:00 41 F", "2026-08-06T09:37:00 42.8 F", says=('"Relative_Humidity"',)),
    file(
        "a09_toa5.dat",
        "/AirT_Max 2026-04-11T00:00:00 50 F",
        "/WaterT_Avg 2026-04-11T00:00:00 17 C",
        "/WaterT_Avg 2026-04-12T00:00:00 19.8 C",
        reasons={6: "not_finite"},
    ),
    file(
        "a10_influx_annotated.csv",
        "Store 1/ 2026-09-01T16:59:54.5 4.5 C",
        "Store 1/ 2026-09-01T17:59:54.5 40.1 F",
        says=('"humidity"', '"room" was read as the storage unit'),
    ),
    file(
        "a11_influx_cli.csv",
        "/ctr 2026-10-02T12:17:09.781749 4.1 C",
        "/ctr 2026-10-02T12:18:09.781792 4.2 C",
        "/ctr 2026-10-02T12:19:09.781794 4.3 C",
    ),
    file(
        "a13_grafana_units.csv",
        "/Freezer 1 2026-07-26T08:02:00 -18.5 C",
        "/Freezer 2 2026-07-26T08:02:00 -20.3 C",
        "/Freezer 1 2026-07-26T08:03:00 -18.4 C",
        "/Freezer 2 2026-07-26T08:03:00 -20.1 C",
    ),
    file(
        "a13_grafana_units.csv",
        "Freezer 1/ 2026-07-26T08:02:00 -18.5 C",
        "Freezer 2/ 2026-07-26T08:02:00 -20.3 C",
        "Freezer 1/ 2026-07-26T08:03:00 -18.4 C",
        "Freezer 2/ 2026-07-26T08:03:00 -20.1 C",
        several_temperatures="units",
    ),
    file("a14_fridgetag.txt", fails="unsupported_file", says=("text report",)),
    file(
        "a16_easylog.txt",
        "2026-08-03T10:00:00 4.5 C",
        "2026-08-13T10:05:00 5 C",
        "2026-08-13T10:10:00 5.5 C",
        says=('"Dew Point(°C)"',),
    ),
    file("a17_switchbot.csv", "2026-09-01T07:56:00 22.5 C", "2026-09-01T07:57:00 22.6 C"),
    file("a17b_switchbot_iso.csv", "2026-03-21T20:17:00 41 F", "2026-03-21T20:18:00 50 F"),
    file("a18_netatmo.csv", "2026-05-31T23:05:02 22.6 C", "2026-05-31T23:10:04 22.4 C"),
    file("a19_sensorcommunity.csv", "/35066 2026-10-08T18:56:35 13.1 C", "/35066 2026-10-08T18:59:05 -0.5 C"),
    file("a20_tinytag.csv", "2026-01-01T00:00:00 4.5 C", "2026-01-01T00:10:00 -4.6 C"),
    file("a21_rotronic.xls", reasons={5: "future_time", 6: "future_time"}),
    file("a24_meaco.csv", "2026-03-25T10:00:00 18.2 C", "2026-03-25T10:10:00 18.4 C"),
]

TIMES = [
    file("a30b_thingspeak.csv", fails="no_header"),
    file(
        "a30b_thingspeak.csv",
        "2026-05-01T10:00:00 4.5 C",
        "2026-05-01T10:01:00 4.6 C",
        says=("Europe/Madrid was not applied",),
        temperature_field="field1",
        time_zone="Europe/Madrid",
    ),
    file("c07_spanish_ampm.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T13:05:00 4.6 C", "2026-03-13T13:10:00 4.7 C"),
    file("c09_24h.csv", "2026-03-13T23:45:00 4.5 C", "2026-03-14T00:00:00 4.6 C", "2026-03-14T00:15:00 4.7 C"),
    file("c10_leap.csv", "2016-12-31T23:59:59 4.5 C", "2017-01-01T00:00:00 4.7 C", reasons={3: "unreadable_time"}),
    file(
        "c17_clock.csv",
        "2026-03-13T10:00:00 5.1 C",
        reasons={
            2: "too_old",
            3: "clock_reset",
            4: "clock_reset",
            5: "future_time",
            6: "future_time",
            7: "unreadable_time",
        },
    ),
    file(
        "c36_zones.csv",
        "2026-03-13T09:00:00 0 C",
        "2026-03-13T10:00:00 1 C",
        says=("EST is not known, or has several meanings",),
        reasons={6: "unreadable_time"},
    ),
    file(
        "c38_excel_serial.csv",
        says=('set the time format to "excel"',),
        reasons={2: "unreadable_time", 3: "unreadable_time"},
    ),
    file("c38_excel_serial.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C", time_format="excel"),
    file("c38b_excel_serial.json", says=('set the time format to "excel"',), reasons={1: "unreadable_time"}),
    file("c38b_excel_serial.json", "u1/ 2026-03-13T10:00:00 4.5 C", time_format="excel"),
    file("c48_us_hp.csv", "2026-03-13T14:00:00 4.5 C", "2026-03-13T09:00:00 4.6 C", time_format="%m/%d/%Y %I:%M %p"),
    file(
        "c51_dst.csv",
        "2026-11-01T07:30:00 0 C",
        "2026-11-01T08:30:00 1 C",
        "2026-11-01T09:30:00 2 C",
        "2026-11-01T10:30:00 3 C",
        time_zone="America/Los_Angeles",
    ),
    file("c52_hobo_tz_default.csv", "2026-01-13T09:00:00 4.5 C", says=("UTC-08:00",)),
    file("c54_labview.csv", reasons={2: "unreadable_time", 3: "unreadable_time"}),
    file(
        "c54_labview.csv",
        "2026-03-13T10:00:00.123 4.5 C",
        "2026-03-13T10:00:01.123 4.6 C",
        time_format="%Y/%m/%d %H:%M:%S:%f",
    ),
    file("c55_java_date.csv", "2026-03-13T09:00:00 4.5 C"),
    file(
        "c55_java_date.csv",
        "2026-03-13T09:00:00 4.5 C",
        time_format="%a %b %d %H:%M:%S %Z %Y",
        time_zone="America/New_York",
    ),
    file("c58_epoch_us_ns.json", "u1/ 2026-10-02T12:17:09 0 C", "u1/ 2026-10-02T12:17:09.123456 2 C"),
    file("e05_yearfirst_ampm.csv", "2026-10-05T18:44:00 4.5 C", "2026-10-06T03:55:00 4.6 C"),
    file(
        "e07_date_only_map.csv", "2026-08-04T09:00:00 4.5 C", "2026-08-04T14:00:00 4.6 C", "2026-08-15T14:00:00 4.7 C"
    ),
    file(
        "e07_date_only_map.csv",
        "2026-08-04T09:00:00 4.5 C",
        "2026-08-04T14:00:00 4.6 C",
        "2026-08-15T14:00:00 4.7 C",
        date_field="Date",
        time_field="Time",
        time_format="%d/%m/%Y %H:%M:%S",
    ),
    file("e08_usgs.txt", "2026-05-14T23:59:00 4.5 C", "2026-05-15T00:00:00 4.6 C"),
]

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

COLUMNS = [
    file("c03_sep_semicolon.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 -4.6 C"),
    file(
        "c33_two_probes.csv",
        "/Temp1 2026-03-13T10:00:00 4.5 C",
        "/Temp2 2026-03-13T10:00:00 -18.5 C",
        "/Temp1 2026-03-13T10:05:00 4.6 C",
        "/Temp2 2026-03-13T10:05:00 -18.4 C",
    ),
    file(
        "c59_wide.csv",
        "/Freezer 1 2026-03-13T10:00:00 -18.5 C",
        "/Fridge 2 2026-03-13T10:00:00 41 F",
        "/Freezer 1 2026-03-13T10:05:00 -18.4 C",
        "/Fridge 2 2026-03-13T10:05:00 42.8 F",
    ),
    file(
        "c35_device_column.csv",
        "freezer-1/ 2026-03-13T10:00:00 -18.5 C",
        "fridge-2/ 2026-03-13T10:00:10 4.5 C",
        "freezer-1/ 2026-03-13T10:05:00 -18.6 C",
        "fridge-2/ 2026-03-13T10:05:10 4.6 C",
    ),
    file("c39_opc_quality.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C", "2026-03-13T10:10:00 4.7 C"),
    file("c40_status_text.csv", "2026-03-13T10:05:00 4.6 C", reasons={2: "status_too_long"}),
    file("e03_shifted.csv", "2026-02-17T11:32:31 22.6 C", reasons={3: "wrong_number_of_columns"}),
    file("e04_ai_edge.csv", "/main 2026-05-23T08:45:21 4.5 C", reasons={3: "wrong_number_of_columns"}),
    file(
        "e10_easylog_unit_mid.csv",
        "/sensor.f1 2026-03-13T10:00:00 4.5 C",
        "/sensor.f1 2026-03-13T10:05:00 40.1 F",
        says=('"%"',),
    ),
    file("e16_dup_header_name.csv", "2026-03-13T10:00:00 4.5 C", says=("the first was read",)),
    file(
        "e17_hobo_end.csv",
        reasons={2: "future_time", 3: "future_time"},
        says=("2 rows without a temperature record events",),
    ),
]

ENCODINGS = [
    file("c01_utf16le_bom.txt", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 -4.6 C"),
    file("c26_readings.xml", fails="unsupported_file", says=("XML",)),
    file("c26b_readings_nodecl.xml", fails="unsupported_file", says=("XML",)),
    file("c27_export.zip", "2026-03-13T10:00:00 4.5 C"),
    file("c28_export.xlsx", fails="unsupported_file", says=("Excel workbook (XLSX)",)),
    file("c28b_old.xls", fails="unsupported_file", says=("old Excel workbook (XLS)",)),
    file("c28c_report.pdf", fails="unsupported_file", says=("PDF",)),
    file("c29_oldmac.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c30_nul.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c30b_nul_middle.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C", "2026-03-13T10:10:00 4.7 C"),
    file("c31_trailing_comma.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c31b_header_trailing.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c32_spaces.txt", fails="no_header"),
    file("c41_gb18030.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C", encoding="gb18030"),
    file("c42_crcrlf.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c43_header_only.csv"),
    file("c43b_empty.csv"),
    file("c56_comments.csv", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c57_lineprotocol.txt", fails="unsupported_file", says=("line protocol",)),
]

JSON_SHAPES = [
    file("a29_openmeteo.json", "2026-06-09T11:00:00 14.9 C", "2026-06-09T12:00:00 15.1 C"),
    file(
        "a30_thingspeak.json",
        "2026-05-01T10:00:00 4.5 C",
        "2026-05-01T10:01:00 none C",
        readings_path="feeds",
        temperature_field="field1",
    ),
    file("a34_prometheus.json", fails="no_readings_list"),
    file(
        "a34_prometheus.json",
        "f1/ 2026-10-02T12:17:00 -18.5 C",
        "f1/ 2026-10-02T12:18:00 -18.4 C",
        readings_path="data.result",
        unit_field="metric.unit",
        time_field="values.0",
        temperature_field="values.1",
    ),
    file(
        "a36_monnit.json",
        "/101 2026-10-02T12:17:00 4.5 C",
        readings_path="Result",
        sensor_field="SensorID",
        time_field="MessageDate",
        temperature_field="DisplayData",
    ),
    file(
        "a37_chirpstack.json",
        "probe 1/ 2026-05-01T10:00:00.123 4.5 C",
        unit_field="deviceInfo.deviceName",
        temperature_field="object.temperature",
    ),
    file(
        "c19_ndjson_comma.ndjson",
        "u1/ 2026-03-13T10:00:00 4.5 C",
        "u1/ 2026-03-13T10:05:00 4.6 C",
        says=("separated by commas",),
    ),
    file("c21_json_case.json", "u1/ 2026-03-13T10:00:00 4.5 C"),
    file(
        "c22_json_nested.json",
        "/s1 2026-03-13T10:00:00 4.5 C",
        "/s1 2026-03-13T10:05:00 4.6 C",
        "/s2 2026-03-13T10:00:00 5.5 C",
    ),
    file("c23_json_columns.json", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c24_json_keyed.json", "/s1 2026-03-13T10:00:00 4.5 C", "/s2 2026-03-13T10:00:00 5.5 C"),
    file("c25_json_arrays.json", "2026-03-13T10:00:00 4.5 C", "2026-03-13T10:05:00 4.6 C"),
    file("c45_mongo.json", "u1/ 2026-03-13T10:00:00 4.5 C", "u1/ 2026-03-13T10:05:00 4.6 C"),
]

FILES = [*LOGGERS, *TIMES, *NUMBERS, *SCALES, *COLUMNS, *ENCODINGS, *JSON_SHAPES]
