"""The facts that a gateway's log tells, by kind. A body is a MessagePack map; it carries full rows, so that a fact always applies.

| kind | body | story |
| --- | --- | --- |
| boot | boot, software, epoch, previous_boot | the agent started |
| clock_changed | quality, was, lower_bound_us, estimate_us, shift_us, machine_boot | at each start, and when the clock became better or worse; what was written in the dark before it moves by the shift |
| stay_admitted, stay_entered, stay_left, stay_voided | stay (full row) | one vehicle's stay changed |
| claim_changed | claim (full row with its version) | a promise was made, moved, extended or released |
| admission_refused | lane, direction, reason, credential_kind, times | repeated refusals of one credential coalesce |
| gate_moved | lane, move, why, stay | the arm was told to move |
| demand_made | demand (full row) | a stay was priced |
| payment_changed | payment (full row) | money was asked for, taken or refused |
| token_issued | kind, subject, stay, key_id | a ticket or receipt was signed |
| override | lane, action, by, reason, command | a person decided; `command` is the centre's, where that person was not at the lot |
| telemetry_dropped | count, from_us, to_us | what an outage coalesced: one tombstone |
| record_quarantined | source, field, problem, digest | something that could not be understood was kept aside |
| sensors_doubted | sensors (a list of source, spot, lies, confidence_1e4) | what is held against these sensors now; no lies: nothing any more |
| count_drifted | difference | cars that stood on places less cars inside, over a day; 0: no more |
| conflict_found | kind, claim, other, detail | two promises clash |
| prepared | reservation, revision, claim_id | a place is held and voted on; its claim_changed stands before it |
| booking_rehomed | reservation, revision, claim, from_spot, to_spot, why, stay | a promise went to another spot because of a car that stays longer |
| booking_at_risk | reservation, revision, claim, reason, stay | a promise may not be kept: `overstay` (a car stays longer), `over_count` (more cars than places half an hour before it starts), `physically_full` (its driver is here and no place is free) |
| booking_sold | reservation, revision, claim, type, starts_us, ends_us, amount_minor, currency, demand | a booking was sold at the kiosk and paid; its claim, demand and payment stand before it |
| committed, aborted | reservation, revision, claim_id, by, reason | a doubt ended; `by` is decision, pass or operator |
| transfer_out | transfer, type, spots | these spots were given up to the cloud: it credits them when it applies this row |
| transfer_in | transfer, type, spots | these spots came from the cloud |
| recount | by, reason, before, counted (each cars inside by type), closed, opened | a person counted the cars; the stays and claims that follow from it stand before it |

Kinds that the cloud does not know are stored and acknowledged, never refused. Every body has `at_us`, the civil instant at which it happened; the envelope around it
(`sync.chain`) adds epoch, sequence, boot and the time since boot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What kind of fact a log row tells."""

    BOOT = "boot"
    CLOCK_CHANGED = "clock_changed"
    STAY_ADMITTED = "stay_admitted"
    STAY_ENTERED = "stay_entered"
    STAY_LEFT = "stay_left"
    STAY_VOIDED = "stay_voided"
    CLAIM_CHANGED = "claim_changed"
    ADMISSION_REFUSED = "admission_refused"
    GATE_MOVED = "gate_moved"
    DEMAND_MADE = "demand_made"
    PAYMENT_CHANGED = "payment_changed"
    TOKEN_ISSUED = "token_issued"  # noqa: S105 - a kind of event, not a secret
    OVERRIDE = "override"
    TELEMETRY_DROPPED = "telemetry_dropped"
    RECORD_QUARANTINED = "record_quarantined"
    SENSORS_DOUBTED = "sensors_doubted"
    COUNT_DRIFTED = "count_drifted"
    CONFLICT_FOUND = "conflict_found"
    BOOKING_REHOMED = "booking_rehomed"
    BOOKING_AT_RISK = "booking_at_risk"
    BOOKING_SOLD = "booking_sold"
    PREPARED = "prepared"
    COMMITTED = "committed"
    ABORTED = "aborted"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    RECOUNT = "recount"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """A fact before the log gives it its number: `body` without the envelope's fields, `at_us` included."""

    kind: EventKind
    body: Mapping[str, object]
