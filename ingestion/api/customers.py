"""REST API views of customers for the operator: their profiles configure the sources that are polled."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.db import transaction
from rest_framework.serializers import BaseSerializer
from typing_extensions import override

from customers.models import Customer
from ingestion.customer_source import configure_source
from readings.api import profiles


class AdminCustomerList(profiles.AdminCustomerList):
    """Every customer."""

    @override
    def save_customer(self, serializer: BaseSerializer[Any]) -> Customer:
        with transaction.atomic():
            customer = super().save_customer(serializer)
            configure_source(customer)
        return customer


class AdminCustomer(profiles.AdminCustomer):
    """A customer."""

    @override
    def save_customer(self, serializer: BaseSerializer[Any]) -> Customer:
        with transaction.atomic():
            former = copy(serializer.instance)
            customer = super().save_customer(serializer)
            configure_source(customer, former)
        return customer
