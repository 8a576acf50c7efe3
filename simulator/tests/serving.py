"""Serve one customer over HTTP for as long as a test lasts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.base.clock import Clock
from simulator.model.fleet import Customer, Fleet
from simulator.model.simulation import SimulatedCustomer, Simulation
from simulator.server.run import served_in_thread


@dataclass
class Serve:
    """Call it to serve a customer with some of its settings changed; it returns the URL and the simulation."""

    clock: Clock
    running: ExitStack = field(default_factory=ExitStack)

    def __call__(self, customer: Customer, **changes: Any) -> tuple[str, SimulatedCustomer]:
        changed = Simulation(Fleet((replace(customer, **changes),)), seed=7, clock=self.clock)
        urls = self.running.enter_context(served_in_thread(changed))
        return urls[customer.code], changed.customers[customer.code]

    def closing(self) -> None:
        """End all servers before the test is over."""
        self.running.close()
