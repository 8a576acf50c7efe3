"""What can be done in the system, each action declared once.

The REST API, the pages and the generated table in `docs/access.md` all refer to these declarations, and the admin asks
for the same model permissions. An action is permitted to

- members whose role is at least `role`, for their customer;
- staff who have Django's `model_permission`, for every customer; being staff grants nothing by itself;
- tokens that carry `permission`, as long as the person who created the token may do it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from customers.models import Membership

VIEWER, OPERATOR, MANAGER = Membership.Role.VIEWER, Membership.Role.OPERATOR, Membership.Role.MANAGER
ROLES = (VIEWER, OPERATOR, MANAGER)


class Permission(StrEnum):
    """The permissions of a token; `write` and `manage` do not imply `read`, `admin` implies all."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"
    ADMIN = "admin"


READ, WRITE, MANAGE, ADMIN = Permission.READ, Permission.WRITE, Permission.MANAGE, Permission.ADMIN
ALL_PERMISSIONS = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Action:
    """An action and who may do it. `role` None: only staff and tokens of the operator; `permission` None: no token.

    spans_units: it is about more than single storage units, so a token that is limited to some may not do it.
    """

    title: str
    permission: Permission | None
    role: Membership.Role | None
    model_permission: str
    spans_units: bool = False

    def is_permitted_to(self, role: str) -> bool:
        """Return whether members with this role may do it for their customer."""
        return self.role is not None and ROLES.index(Membership.Role(role)) >= ROLES.index(self.role)


# Reading. Most of it is one permission of tokens, but a model each for staff.
VIEW_READINGS = Action("View readings, statistics and analytics", READ, VIEWER, "readings.view_reading")
VIEW_FACILITIES = Action("View facilities, storage units and sensors", READ, VIEWER, "customers.view_storageunit")
VIEW_PROFILE = Action("View the customer's profile", READ, VIEWER, "customers.view_customer")
VIEW_ALARMS = Action("View alarms and excursions", READ, VIEWER, "alarms.view_alarm")
VIEW_LIMITS = Action("View limits and limit profiles", READ, VIEWER, "alarms.view_unitlimits")
VIEW_SOURCES = Action(
    "View sources, deliveries, rejected rows and conflicts", READ, VIEWER, "ingestion.view_source", spans_units=True
)
LIST_TOKENS = Action("List API tokens", READ, VIEWER, "customers.view_apitoken")
VIEW_TOKEN = Action("View an API token", READ, VIEWER, "customers.view_apitoken", spans_units=True)
# A token opens the settings pages only to change something there.
SEE_SETTINGS = Action("Open the settings pages", MANAGE, VIEWER, "customers.view_customer", spans_units=True)
SEE_TOKENS = Action("Open the page of API tokens", MANAGE, VIEWER, "customers.view_apitoken", spans_units=True)
SEE_PEOPLE = Action("Open the page of people", MANAGE, VIEWER, "customers.view_membership", spans_units=True)
SEE_CHANNELS = Action("Open the page of notifications", MANAGE, VIEWER, "alarms.view_channel", spans_units=True)

PUSH_READINGS = Action("Push readings", WRITE, OPERATOR, "readings.add_reading")
# The only action of a token that is restricted to a source. It may register new units.
PUSH_TO_SOURCE = Action("Push to a source", WRITE, OPERATOR, "readings.add_reading", spans_units=True)

HANDLE_ALARMS = Action("Acknowledge, comment on and close alarms", MANAGE, OPERATOR, "alarms.change_alarm")
POLL_SOURCES = Action("Poll a source now", MANAGE, OPERATOR, "ingestion.change_source", spans_units=True)
REVIEW_REJECTED_ROWS = Action(
    "Replay and dismiss rejected rows", MANAGE, OPERATOR, "ingestion.change_rejectedrow", True
)
REVIEW_CONFLICTS = Action(
    "Accept and dismiss conflicts", MANAGE, OPERATOR, "ingestion.change_conflict", spans_units=True
)

CHANGE_PROFILE = Action("Change the customer's profile", MANAGE, MANAGER, "customers.change_customer", spans_units=True)
ADD_FACILITIES = Action("Add facilities", MANAGE, MANAGER, "customers.add_facility", spans_units=True)
CHANGE_FACILITIES = Action("Change facilities", MANAGE, MANAGER, "customers.change_facility", spans_units=True)
ADD_UNITS = Action("Add storage units", MANAGE, MANAGER, "customers.add_storageunit", spans_units=True)
CHANGE_UNITS = Action(
    "Change storage units: names, set temperatures, intervals", MANAGE, MANAGER, "customers.change_storageunit"
)
CHANGE_LIMITS = Action(
    "Change the limits of storage units", MANAGE, MANAGER, "alarms.change_unitlimits", spans_units=True
)
CHANGE_DEFAULT_LIMITS = Action(
    "Choose the customer's default limits", MANAGE, MANAGER, "alarms.change_customerlimits", True
)
SCHEDULE_MAINTENANCE = Action("Schedule maintenance", MANAGE, MANAGER, "alarms.add_maintenancewindow", spans_units=True)
END_MAINTENANCE = Action(
    "End or cancel maintenance", MANAGE, MANAGER, "alarms.change_maintenancewindow", spans_units=True
)
CHANGE_CHANNELS = Action(
    "Change, test and disable channels", MANAGE, MANAGER, "alarms.change_channel", spans_units=True
)
CHANGE_RULES = Action("Change notification rules", MANAGE, MANAGER, "alarms.change_rule", spans_units=True)
RESEND_MESSAGES = Action("Send a message again", MANAGE, MANAGER, "alarms.change_message", spans_units=True)
START_DRILLS = Action("Start and schedule alarm drills", MANAGE, MANAGER, "alarms.add_drill", spans_units=True)
ADD_SOURCES = Action("Add sources", MANAGE, MANAGER, "ingestion.add_source", spans_units=True)
CHANGE_SOURCES = Action(
    "Change, test, pause and resume sources", MANAGE, MANAGER, "ingestion.change_source", spans_units=True
)
IMPORT_FILES = Action("Import files", MANAGE, OPERATOR, "ingestion.add_fileimport", spans_units=True)
UNDO_IMPORTS = Action("Undo imports", MANAGE, MANAGER, "ingestion.change_fileimport", spans_units=True)
CREATE_TOKENS = Action("Create API tokens", MANAGE, MANAGER, "customers.add_apitoken")
CREATE_SOURCE_TOKENS = Action(
    "Create API tokens that push to a source", MANAGE, MANAGER, "customers.add_apitoken", spans_units=True
)
REVOKE_TOKENS = Action("Revoke API tokens", MANAGE, MANAGER, "customers.change_apitoken", spans_units=True)
VIEW_TRAIL = Action(
    "Search and export the audit trail, view seals", MANAGE, MANAGER, "audit.view_auditentry", spans_units=True
)
# A lost token must not create accounts.
CHANGE_PEOPLE = Action("Invite and remove people, change their roles", None, MANAGER, "customers.change_membership")

LIST_CUSTOMERS = Action("List every customer and facility", ADMIN, None, "customers.view_customer")
ADD_CUSTOMERS = Action("Add customers", ADMIN, None, "customers.add_customer", spans_units=True)
CHANGE_CUSTOMERS = Action(
    "Change any customer, also whether it is active", ADMIN, None, "customers.change_customer", spans_units=True
)
LIST_CUSTOMER_TOKENS = Action("List the API tokens of any customer", ADMIN, None, "customers.view_apitoken")
CREATE_CUSTOMER_TOKENS = Action("Create API tokens for any customer", ADMIN, None, "customers.add_apitoken")
LIST_ALL_READINGS = Action("View the readings of every customer", ADMIN, None, "readings.view_reading")
VIEW_DELIVERIES = Action("View the ingestion log", ADMIN, None, "ingestion.view_delivery")
VIEW_CONFIGURATION = Action("View the configuration", ADMIN, None, "readings.view_configurationentry")
CHANGE_CONFIGURATION = Action(
    "Change the configuration", ADMIN, None, "readings.change_configurationentry", spans_units=True
)
VIEW_SYSTEM = Action("View the machine and process", ADMIN, None, "temperature_site.view_queueheartbeat")
VIEW_EVALUATION_FAILURES = Action("View failed evaluations", None, None, "alarms.view_evaluationfailure")
# Profiles apply to every customer; tokens read them, and only people change them.
CHANGE_LIMIT_PROFILES = Action("Add and change limit profiles", None, None, "alarms.change_limitprofile")

# Pages of a person's own account and device, which need no right.
OWN_ACCOUNT = Action("Use the own account", None, None, "")

ACTIONS = tuple(value for value in list(globals().values()) if isinstance(value, Action))
