"""The embedded PostgreSQL's configuration: a durable one for a small machine, and a fast one for tests."""

from pathlib import Path

DURABLE = {
    # Reachable only through a socket in a private folder, so trusting local connections exposes nothing.
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    # A small machine needs its cores for its processes; also avoids /dev/shm, which is tiny in containers.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}

# A test's database lives as long as the test run, so nothing waits for the disk.
FOR_TESTS = DURABLE | {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def render(configuration: dict[str, str], socket_directory: Path) -> str:
    """Return the configuration as a file for PostgreSQL. The folder is quoted twice: it is an item of a list."""
    values = configuration | {"unix_socket_directories": f'"{socket_directory}"'}
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
    return "# Written at every start; edit postgresql.auto.conf with ALTER SYSTEM instead.\n" + "\n".join(lines) + "\n"
