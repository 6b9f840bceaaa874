"""
Make the plan of a wait from the parameters of an operator and the section ``[aspose_ocr]`` of Airflow's configuration.

A new knob is a field of :class:`.Cadence` and an option of the same name. If operators have it as a parameter, it is a
field of :class:`WaitParameters`, too. The modules between them pass both classes on as they are.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.config import default_seconds

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan


@dataclass(frozen=True)
class WaitParameters:
    """
    What a user has asked for; ``None`` = the option of the same name in ``[aspose_ocr]``.

    :param poll_interval_seconds: Shortest time between two polls.
    :param max_poll_interval_seconds: Longest time between two polls.
    :param timeout_seconds: How long to wait before the cloud task is cancelled.
    """

    poll_interval_seconds: float | None = None
    max_poll_interval_seconds: float | None = None
    timeout_seconds: float | None = None

    @classmethod
    def of(cls, operator: Any) -> WaitParameters:
        """
        Read the attributes of an operator that have the names of the fields.

        :param operator: An operator or a sensor.
        """
        return cls(**{field.name: getattr(operator, field.name) for field in fields(cls)})

    @classmethod
    def from_dict(cls, value: dict[str, float | None]) -> WaitParameters:
        """
        Read the parameters from a trigger's row.

        :param value: What :meth:`to_dict` returned; fields of a later version are left out.
        """
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})

    def to_dict(self) -> dict[str, float | None]:
        """Return the parameters as plain JSON, for a trigger that Airflow starts without a worker."""
        return asdict(self)

    def cadence(self) -> Cadence:
        """
        Return the cadence of a wait; the configuration is read now.

        :raises AirflowConfigException: if an option is no number.
        """
        given = {name: float(value) for name, value in self.to_dict().items() if value is not None}
        options = {
            each.name: default_seconds(each.name) for each in fields(Cadence) if each.name not in given
        }
        return Cadence(**given, **options)

    def plan(self, began_at: float, airflow_ends_at: float = math.inf) -> WaitPlan:
        """
        Make the plan of a wait; the configuration is read now.

        :param began_at: When the wait began, in seconds since the epoch.
        :param airflow_ends_at: When Airflow's ``execution_timeout`` or deferral timeout ends the wait; by default never.
        :return: The plan, with an absolute deadline.
        :raises AirflowConfigException: if an option is no number.
        """
        return self.cadence().plan(began_at, airflow_ends_at)
