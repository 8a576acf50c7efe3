"""Columns, encodings, and shapes of JSON."""

from __future__ import annotations

from ingestion.tests.customer_files.customer_file import file

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
