"""Mistakes in ``sync``: sessions, exchanges, watermarks, audits, and the bytes on the wire."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

SESSION = "sync.session"
EXCHANGE = "sync.exchange"
INCOMING = "sync.incoming"
OUTGOING = "sync.outgoing"
WATERMARKS = "sync.watermarks"
AUDIT = "sync.audit"
MESH = "sync.mesh"

GROUP = Group(
    "sync",
    (
        "tests/sync/test_audit.py",
        "tests/sync/test_watermarks.py",
        "tests/sync/test_vectors.py",
        "tests/sync/test_outbox.py",
        "tests/sync/test_goals.py",
        "tests/sync/test_wire.py",
        "tests/sync/test_session.py",
        "tests/sync/test_mesh.py",
        "tests/sync/test_exchange.py",
        "properties/test_session.py",
        "properties/test_session_real.py",
        "tests/sync/test_peer.py",
        "tests/sync/test_peer_real.py",
    ),
    (
        Mutant(
            "any_proof",
            SESSION,
            "a wrong token is as good as the right one",
            (
                (
                    'if not hmac.compare_digest(proof.mac, self._mac(b"proof", self.role.other)):',
                    "if False:",
                ),
            ),
        ),
        Mutant(
            "acceptor_proves_first",
            SESSION,
            "an acceptor proves itself before a stranger does",
            (
                (
                    "        if self.role is Role.INITIATOR:\n            self._put",
                    "        if True:\n            self._put",
                ),
                (
                    "        if self.role is Role.ACCEPTOR:\n            self._put",
                    "        if False:\n            self._put",
                ),
            ),
        ),
        Mutant(
            "proof_reflected",
            SESSION,
            "both sides prove themselves with the same bytes, and use the same key",
            (("purpose, author.value, self._nonces", 'purpose, b"", self._nonces'),),
        ),
        Mutant(
            "large_frames_of_strangers",
            SESSION,
            "a stranger may send large frames",
            (
                (
                    "self._decoder = Decoder(limits.greeting_bytes)",
                    "self._decoder = Decoder(limits.frame_bytes)",
                ),
            ),
        ),
        Mutant(
            "linked_with_itself",
            SESSION,
            "a peer links with its own session",
            (("if hello.session == own.session:", "if False:"),),
        ),
        Mutant(
            "namespaces_mix",
            SESSION,
            "peers of other namespaces are let in",
            (("if hello.namespace != own.namespace:", "if False:"),),
        ),
        Mutant(
            "kinds_mix",
            SESSION,
            "a field whose kind has changed is shared",
            (("if own.kinds[path] != other.kinds[path]:", "if False:"),),
        ),
        Mutant(
            "unshared_slices_taken",
            SESSION,
            "deltas of slices that are not shared are taken",
            (("if not slices.keys() <= self.shared:", "if False:"),),
        ),
        Mutant(
            "incomplete_questions_taken",
            SESSION,
            "a STATE may leave slices out",
            (("if slices.keys() != self.shared:", "if False:"),),
        ),
        Mutant(
            "damage_taken",
            "sync.wire",
            "frames are taken without looking at their tag",
            (("if tag.digest() != data[at + 4 : start]:", "if False:"),),
        ),
        Mutant(
            "parts_of_other_messages",
            "sync.wire",
            "a lost part of a message goes unnoticed",
            (("elif part.series != self._series or part.index != self._next:", "elif False:"),),
        ),
        Mutant(
            "equal_vectors_are_equal",
            OUTGOING,
            "digests are not compared where vectors are equal",
            (("elif theirs[name] == ours:", "elif False:"),),
        ),
        Mutant(
            "drops_forgotten",
            OUTGOING,
            "nobody is told that live deltas were dropped from a full queue",
            (("            self.dropped = True\n", ""),),
        ),
        Mutant(
            "drops_are_no_matter",
            OUTGOING,
            "after live deltas were dropped the next ones are sent as if nothing lacked",
            (("            self.current = False\n", ""),),
        ),
        Mutant(
            "sent_before_asked",
            OUTGOING,
            "live deltas are sent before the other side has asked",
            (("        elif self.current:\n", "        else:\n"),),
        ),
        Mutant(
            "answers_before_durable",
            OUTGOING,
            "an answer carries what is not durable yet",
            (("gate = self._marks.mark if deltas else (0, 0)", "gate = (0, 0)"),),
        ),
        Mutant(
            "one_commit_skipped",
            OUTGOING,
            "the first commit after an answer was made is not sent",
            (("        self._skip = before\n", "        self._skip = before + 1\n"),),
        ),
        Mutant(
            "commits_lost_behind_an_answer",
            OUTGOING,
            "commits that become durable while an answer waits are not sent",
            (("            self._answer.waiting.append(commit)\n", "            pass\n"),),
        ),
        Mutant(
            "echo",
            OUTGOING,
            "what came over a link is sent back over it",
            (("isinstance(origin, Origin) and origin.link == self._session.link_id", "False"),),
        ),
        Mutant(
            "let_go_not_relayed",
            OUTGOING,
            "what the gate let go together with a link's delta is not sent to that link",
            (("            if deltas == origin.deltas:\n", "            if True:\n"),),
        ),
        Mutant(
            "every_link_is_the_origin",
            OUTGOING,
            "what came over any link is sent over none",
            (
                (
                    "isinstance(origin, Origin) and origin.link == self._session.link_id",
                    "isinstance(origin, Origin)",
                ),
            ),
        ),
        Mutant(
            "any_ack",
            OUTGOING,
            "a peer may acknowledge what was never sent",
            (("        if number > self.head:\n", "        if False:\n"),),
        ),
        Mutant(
            "acked_before_durable",
            INCOMING,
            "what was merged is acknowledged before it is durable",
            (("if not self._owed and self._marks.covers(mark):", "if True:"),),
        ),
        Mutant(
            "acked_over_a_gap",
            INCOMING,
            "a frame counts although one before it is missing",
            (("if number == self.received + 1 and not missing:", "if not missing:"),),
        ),
        Mutant(
            "acked_while_held",
            INCOMING,
            "a delta that waits for others counts as merged",
            (
                (
                    "if number == self.received + 1 and not missing:",
                    "if number == self.received + 1:",
                ),
            ),
        ),
        Mutant(
            "answer_counts_while_held",
            INCOMING,
            "an answer that waits for others counts as merged",
            (("        if merging.missing:\n", "        if False:\n"),),
        ),
        Mutant(
            "duplicates_are_new",
            INCOMING,
            "a merge that changed nothing waits for a commit of its own",
            (("        if merged.changed:\n", "        if True:\n"),),
        ),
        Mutant(
            "asked_without_end",
            INCOMING,
            "questions are asked while another one is open",
            (("            if due and not pending:\n", "            if due:\n"),),
        ),
        Mutant(
            "lost_question_not_repeated",
            INCOMING,
            "a question that was lost is never asked again",
            (("                due, pending = True, False\n", "                pass\n"),),
        ),
        Mutant(
            "repairs_are_old",
            INCOMING,
            "a repair is merged only if its clocks are new",
            (
                (
                    "                steps.append(({name: delta}, True))\n",
                    "                steps.append(({name: delta}, False))\n",
                ),
            ),
        ),
        Mutant(
            "unasked_answers_taken",
            INCOMING,
            "a DIFF may answer a question that was never asked",
            (("        if diff.answers > self._asked:\n", "        if False:\n"),),
        ),
        Mutant(
            "heads_ignored",
            EXCHANGE,
            "the number of the last frame in heartbeats is ignored",
            (("        self.incoming.saw_head(head)\n", ""),),
        ),
        Mutant(
            "heartbeat_acks_ignored",
            EXCHANGE,
            "the number acknowledged in heartbeats is ignored",
            (("        self.outgoing.acknowledged(acked)\n", ""),),
        ),
        Mutant(
            "never_compared_again",
            EXCHANGE,
            "vectors are compared only when a link opens",
            (("if now - self.incoming.asked_at >= self._limits.sync_seconds:", "if False:"),),
        ),
        Mutant(
            "settled_while_diverged",
            EXCHANGE,
            "a link is in sync although its ends have diverged",
            (("            and not self.audit.diverged\n", ""),),
        ),
        Mutant(
            "silence_is_golden",
            EXCHANGE,
            "a link that is silent for ever stays open",
            (("if silence >= self._limits.timeout_seconds:", "if False:"),),
        ),
        Mutant(
            "merges_of_other_peers_counted",
            WATERMARKS,
            "a watermark counts the merges of another peer of the store",
            (
                (
                    "if isinstance(origin, Origin) and origin.marks is self:",
                    "if isinstance(origin, Origin):",
                ),
            ),
        ),
        Mutant(
            "merges_not_waited_for",
            WATERMARKS,
            "a mark is covered though a merge that it counts is not durable",
            (
                (
                    "mark[0] <= self.durable and mark[1] <= self.merged_durable",
                    "mark[0] <= self.durable",
                ),
            ),
        ),
        Mutant(
            "durable_is_not_made",
            WATERMARKS,
            "a commit told as durable first counts as not made yet",
            (("return max(self._told, self.durable)", "return self._told"),),
        ),
        Mutant(
            "diverged_at_first_sight",
            AUDIT,
            "unequal digests are a divergence before this side merged a whole",
            (("if theirs.repaired and name in self.repaired:", "if theirs.repaired:"),),
        ),
        Mutant(
            "never_diverged",
            AUDIT,
            "digests that stay unequal are repaired for ever",
            (("if theirs.repaired and name in self.repaired:", "if False:"),),
        ),
        Mutant(
            "repaired_once_and_never_again",
            AUDIT,
            "a slice that was repaired once is not repaired again",
            (("        self.repaired.discard(name)\n", ""),),
        ),
        Mutant(
            "moving_digests_compared",
            AUDIT,
            "a digest of another moment than its vector is compared",
            (("None if n in moved else digests.get(n)", "digests.get(n)"),),
        ),
        Mutant(
            "vector_must_be_ahead",
            "sync.vectors",
            "an equal state vector does not cover itself",
            (("mine.get(writer, 0) >= clock", "mine.get(writer, 0) > clock"),),
        ),
        Mutant(
            "heartbeat_behind_bulk",
            "sync.outbox",
            "control frames wait behind diffs",
            (
                (
                    "            if self._control:\n"
                    "                piece = self._control.popleft()\n"
                    "            elif self._diff:\n                piece = self._diff.popleft()\n",
                    "            if self._diff:\n                piece = self._diff.popleft()\n"
                    "            elif self._control:\n"
                    "                piece = self._control.popleft()\n",
                ),
            ),
        ),
        Mutant(
            "replicated_too_early",
            "sync.goals",
            "work counts as replicated before it is acknowledged",
            (("exchange.outgoing.acked >= step.target", "exchange.outgoing.head >= step.target"),),
        ),
        Mutant(
            "both_duplicates_closed",
            MESH,
            "of two links between two peers each closes its own",
            (("and remote.session < self.store.session", ""),),
        ),
        Mutant(
            "durable_told_after_links",
            MESH,
            "commits are told to links before they count as durable",
            (
                (
                    "        for commit in batch:\n            self.marks.saw_durable(commit)\n"
                    "        for link in tuple(self.links):\n            link.committed(batch)\n",
                    "        for link in tuple(self.links):\n            link.committed(batch)\n"
                    "        for commit in batch:\n            self.marks.saw_durable(commit)\n",
                ),
            ),
        ),
    ),
)
