"""Columns and members that tell devices, parts of units and zones apart, under whatever name."""

from __future__ import annotations

from ingestion.tests.customer_files.customer_file import file

IDENTITIES = [
    file(
        "g01_rooms_german.csv",
        "A/ 2026-11-23T10:00:00 4.5 C",
        "B/ 2026-11-23T10:00:00 5.5 C",
        says=('"Kühlraum" was read as the storage unit',),
    ),
    file(
        "g02_unknown_name.csv",
        "/A 2026-11-23T10:00:00 4.5 C",
        "/B 2026-11-23T10:00:00 5.5 C",
        says=('"what" was read as the sensor',),
    ),
    file("g03_positions.csv", "A/top 2026-11-23T10:00:00 4.5 C", "A/bottom 2026-11-23T10:00:00 5.5 C"),
    file("g04_gateways.csv", "2026-11-23T10:00:00 4.5 C", says=('not read: "gateway"',)),
    file("g05_serial_changes.csv", fails="unsupported_file", says=('"serial" changes in line 62',)),
    file("g06_label_changes.json", fails="unsupported_file", says=('"label" changes in a later row',)),
    file("g07_channels.json", "/temperature 2026-11-23T10:00:00 4.5 C", "/temperature 2 2026-11-23T10:00:00 -4 F"),
    file("g08_sensor_around.json", "/s1 2026-11-23T10:00:00 41 F"),
    file("g09_unit_around.json", "u9/ 2026-11-23T10:00:00 4.5 C", reasons={2: "unreadable_time"}),
    file(
        "g10_offsets.csv",
        "2026-11-20T15:00:00 4.5 C",
        "2026-11-20T09:05:00 4.6 C",
        "2026-11-20T10:05:00 4.6 C",
        says=('Times without a zone in "utc_offset" are read as UTC',),
    ),
    file("g11_est_column.csv", reasons={2: "unreadable_time"}, says=("Set the time format or the time zone",)),
    file("g11_est_column.csv", "2026-11-20T15:00:00 4.5 C", time_zone="America/New_York"),
    file("g12_polish.csv", "2026-11-23T10:00:00 4.5 C", encoding="cp1250"),
    file("g13_areas.csv", "/A 2026-11-20T10:00:00 4.5 C", "/B 2026-11-20T10:00:00 4.6 C"),
    file(
        "g14_reading_ids.csv",
        "2026-11-20T10:00:00 4.5 C",
        "2026-11-20T10:05:00 4.6 C",
        "2026-11-20T10:10:00 4.7 C",
        says=('the rows differ in it: "id"',),
    ),
    file("g15_region_in_time.csv", "2026-11-20T09:00:00 4.5 C"),
    file("g16_mac_around.json", "a4:cf:12/ 2026-11-23T10:00:00 4.5 C", says=('"mac", around the rows, was read',)),
    file("g17_device_around.json", "D1/ 2026-11-23T10:00:00 4.5 C", says=('Not read, around the rows: "gateway".',)),
    file("g18_devices_listed.json", "A/ 2026-11-23T10:00:00 4.5 C", "B/ 2026-11-23T10:00:00 5.5 C"),
    file("g19_ids_listed.json", "A/ 2026-11-23T10:00:00 4.5 C", "B/ 2026-11-23T10:00:00 5.5 C"),
    file("g20_lists_by_id.json", "/f1 2026-11-23T10:00:00 4.5 C", "/f2 2026-11-23T10:00:00 5.5 C"),
    file("g21_device_objects.json", "A/ 2026-11-23T10:00:00 4.5 C", "B/ 2026-11-23T10:00:00 5.5 C"),
    file(
        "g22_blank_zone.csv",
        *(f"2026-11-20T09:{minute:02}:00 4.5 C" for minute in range(59)),
        "2026-11-20T10:59:00 4.6 C",
        says=('Times without a zone in "tz" are read as UTC',),
    ),
]
