"""Conversations about kept clips: shown with the comparisons over the same clip, gone with the last of them."""

from __future__ import annotations

import hashlib
import json
import zlib

from comparisons.history import rows
from comparisons.history.audio import Audio
from comparisons.history.database import Database
from comparisons.history.kept import KeptConversation, Whose
from runners.base import Clip
from runners.conversations import record
from runners.conversations.conversation import Conversation


class Conversations:
    """The conversations of a history."""

    def __init__(self, database: Database, audio: Audio) -> None:
        self._database = database
        self._audio = audio

    def keep(self, conversation: Conversation, clip: Clip, owner: str) -> None:
        """Keep a conversation about a clip as it stands, in place of what it was.

        Raises:
            HistoryError: it cannot be written.
        """
        document = rows.compressed(record.to_dict(conversation))
        id = hashlib.sha256(conversation.id.encode()).hexdigest()
        with self._audio.placing(clip) as (connection, sound):
            connection.execute(
                "INSERT INTO conversations (id, owner, sound, made_at, changed_at, document) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET changed_at = excluded.changed_at, document = excluded.document"
                " WHERE owner = excluded.owner",
                (id, owner, sound, rows.now(), rows.now(), document),
            )

    def about(self, id: str, whose: Whose) -> tuple[KeptConversation, ...]:
        """The conversations that a comparison's owner held about its clip, the oldest first.

        Raises:
            NotKept: there is no such comparison, or it is in the bin.
        """
        with self._database.read() as connection:
            row = rows.found(connection, "sound, owner", id, whose)
            found = connection.execute(
                "SELECT made_at, changed_at, document FROM conversations WHERE sound = ? AND owner = ? ORDER BY made_at",
                (row["sound"], row["owner"]),
            ).fetchall()
        return tuple(
            KeptConversation(
                rows.time(row["made_at"]), rows.time(row["changed_at"]), json.loads(zlib.decompress(row["document"]))
            )
            for row in found
        )
