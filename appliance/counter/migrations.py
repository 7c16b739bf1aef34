"""The journal's schema, step by step. A step that has been released is never changed.

Pages of 1 KiB: a commit then costs about half the bytes on the card (measured: 9.5 KiB against
20 KiB with pages of 4 KiB).
"""

from __future__ import annotations

from typing import Final

PAGE_SIZE_BYTES: Final = 1024

MIGRATIONS: Final[tuple[str, ...]] = (
    # 1: facts, the subjects that are still open, the marks.
    """
    CREATE TABLE fact (
        seq     INTEGER PRIMARY KEY,
        kind    TEXT NOT NULL,
        subject TEXT NOT NULL,
        at      TEXT NOT NULL,
        seller  TEXT NOT NULL,
        body    TEXT NOT NULL,
        hash    BLOB NOT NULL
    ) STRICT;
    CREATE INDEX fact_subject ON fact (subject, seq);
    CREATE INDEX fact_handed_over ON fact (at) WHERE kind = 'handover.handed_over';

    -- What this counter took or gave for an order: asked at each scan, as a shop can forget.
    CREATE INDEX fact_settled ON fact (json_extract(body, '$.order')) WHERE kind IN (
        'payment.approved', 'payment.decided_paid', 'handover.handed_over'
    );

    CREATE INDEX fact_started ON fact (seq) WHERE kind = 'payment.started';

    CREATE TABLE open_subject (
        subject   TEXT PRIMARY KEY,
        first_seq INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- origin: where the chain begins. pruned: the last fact that retention took, with its hash.
    -- outbox: the last fact that the shop has.
    CREATE TABLE mark (
        name TEXT PRIMARY KEY CHECK (name IN ('origin', 'pruned', 'outbox')),
        seq  INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER fact_follows BEFORE INSERT ON fact
    WHEN NEW.seq <> 1 + max(
        coalesce((SELECT max(seq) FROM fact), 0),
        (SELECT seq FROM mark WHERE name = 'pruned')
    )
    BEGIN SELECT raise(ABORT, 'a fact has its place'); END;

    CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
    BEGIN SELECT raise(ABORT, 'a fact is never changed'); END;

    CREATE TRIGGER fact_is_never_deleted BEFORE DELETE ON fact
    WHEN OLD.seq > (SELECT seq FROM mark WHERE name = 'pruned')
    BEGIN SELECT raise(ABORT, 'a fact is never deleted'); END;

    CREATE TRIGGER mark_moves_forward BEFORE UPDATE ON mark
    WHEN NEW.seq < OLD.seq OR NEW.name <> OLD.name
    BEGIN SELECT raise(ABORT, 'a mark moves forward'); END;

    CREATE TRIGGER pruned_spares_what_is_needed BEFORE UPDATE ON mark
    WHEN NEW.name = 'pruned' AND (
        NEW.seq > (SELECT seq FROM mark WHERE name = 'outbox')
        OR NEW.seq >= coalesce((SELECT min(first_seq) FROM open_subject), NEW.seq + 1)
    )
    BEGIN SELECT raise(ABORT, 'undelivered or open facts are kept'); END;

    -- INSERT OR REPLACE deletes without asking the trigger below.
    CREATE TRIGGER mark_is_never_replaced BEFORE INSERT ON mark
    WHEN EXISTS (SELECT 1 FROM mark WHERE name = NEW.name)
    BEGIN SELECT raise(ABORT, 'a mark is never replaced'); END;

    CREATE TRIGGER mark_is_never_deleted BEFORE DELETE ON mark
    BEGIN SELECT raise(ABORT, 'a mark is never deleted'); END;
    """,
)
