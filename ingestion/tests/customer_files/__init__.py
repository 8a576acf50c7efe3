"""What each file in `inputs/` must come to: the exports of data loggers and the answers of customers' systems.

The files are written in the shapes of real exports. A reading is given as "unit/sensor time number scale"; the unit is
left out if it is the one named by the file, the sensor if there is none.
"""

from ingestion.tests.customer_files.customer_file import CustomerFile
from ingestion.tests.customer_files.devices import LOGGERS, TIMES
from ingestion.tests.customer_files.exports import EXPORTS
from ingestion.tests.customer_files.identities import IDENTITIES
from ingestion.tests.customer_files.layouts import COLUMNS, ENCODINGS, JSON_SHAPES
from ingestion.tests.customer_files.values import NUMBERS, SCALES

__all__ = ["FILES", "CustomerFile"]

FILES = [*LOGGERS, *TIMES, *NUMBERS, *SCALES, *COLUMNS, *ENCODINGS, *JSON_SHAPES, *EXPORTS, *IDENTITIES]
