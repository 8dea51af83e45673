"""Reviews that are kept: made of kept comparisons, opened by a link, voted on once, and there after a restart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comparisons.history.kept import EVERYBODY
from comparisons.history.rows import NotKept
from comparisons.history.store import History
from comparisons.reviews import store
from comparisons.reviews.ballots import Ballot, Duel, WordMark
from comparisons.reviews.review import Judge, Review, ReviewError
from comparisons.reviews.store import LONGEST_NAME, NoReview, Reviews, VoteRefused
from tests.keeping import ALPHA, BETA, clip, compared, heard

ME, YOU = "user:me", "visitor:you"
HOSTILE = "'; DROP TABLE reviews; -- <script>alert(1)</script>\x00\ud800"
BETA_NAME = BETA.name


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "kept")


@pytest.fixture
def reviews(history: History) -> Reviews:
    return Reviews(history)


def keep(history: History, seed: int = 0, owner: str = ME) -> str:
    sound = clip(f"clip {seed}.wav", seed=seed)
    return history.keep(compared(sound, heard(ALPHA, "hello world"), heard(BETA, f"hallo whirled {seed}")), sound, owner)


def make(reviews: Reviews, *comparisons: str, owner: str = ME, **asked: object) -> str:
    return reviews.make(comparisons, owner, owner=owner, **{"title": "By ear", "method": "best", **asked})  # type: ignore[arg-type]


def opened(reviews: Reviews, id: str) -> Review:
    token = reviews.get(id, EVERYBODY).token
    assert token is not None
    found = reviews.open(token)
    assert found is not None
    return found.review


def best(number: int = 1, who: str | None = "alpha") -> Ballot:
    return Ballot("best", number, best=who)


def test_a_review_is_listed_and_read_by_whoever_made_it(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history, 1), keep(history, 2), title="  By \n ear ", question="Which one?")
    (row,) = reviews.list(ME)
    assert (row.id, row.title, row.method, row.clips, row.judges, row.ballots) == (id, "By ear", "best", 2, 0, 0)
    assert row.closed_at is None
    assert row.token is not None
    review = reviews.review(id, ME)
    assert (review.title, review.question, [each.source for each in review.clips]) == (
        "By ear",
        "Which one?",
        ["clip 1.wav", "clip 2.wav"],
    )
    assert [hearing.text for hearing in review.clips[0].hearings] == ["hello world", "hallo whirled 1"]
    assert opened(reviews, id) == review
    assert [each.id for each in reviews.list(EVERYBODY)] == [id]


def test_what_is_another_s_is_not_there(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history))
    assert reviews.list(YOU) == ()
    for ask in (reviews.get, reviews.review, reviews.casts, reviews.close, reviews.withdraw, reviews.renew, reviews.delete):
        for asked, whose in ((id, YOU), (HOSTILE, ME), ("", EVERYBODY)):
            with pytest.raises(NoReview) as told:
                ask(asked, whose)
            assert str(told.value) == "There is no such review."
    with pytest.raises(NotKept):
        make(reviews, keep(history), owner=YOU)
    assert reviews.get(id, ME).closed_at is None


def test_what_becomes_of_a_comparison_does_not_change_its_review(history: History, reviews: Reviews) -> None:
    kept = keep(history)
    id = make(reviews, kept)
    before = reviews.review(id, ME)
    audio = reviews.audio(before, 1)
    assert audio is not None
    history.bin.put(kept, ME)
    history.bin.purge(older_than_seconds=-1)
    assert Reviews(history).review(id, ME) == before
    assert audio.is_file()
    reviews.delete(id, ME)
    assert not audio.exists()


def test_only_chosen_systems_are_judged(history: History, reviews: Reviews) -> None:
    sound = clip()
    third = heard(type(ALPHA)(type(ALPHA.spec)("gamma", "Gamma", "runners.scripted:Scripted")), "yellow world")
    kept = history.keep(compared(sound, heard(ALPHA, "hello world"), heard(BETA, "hallo"), third), sound, ME)
    id = make(reviews, kept, systems=["alpha", "gamma"])
    assert list(reviews.review(id, ME).labels) == ["alpha", "gamma"]
    with pytest.raises(ReviewError, match="fewer than two"):
        make(reviews, kept, systems=["alpha"])


def test_what_cannot_be_judged_is_refused_in_words(tmp_path: Path, history: History, reviews: Reviews) -> None:
    kept = keep(history)
    for asked, says in (
        ({"title": " "}, "needs a title"),
        ({"title": "Is Alpha better?"}, "names [Aa]lpha"),
        ({"method": "applause"}, "in one of these ways"),
    ):
        with pytest.raises(ReviewError, match=says):
            make(reviews, kept, **asked)
    with pytest.raises(ReviewError, match="at least one clip"):
        make(reviews)
    with pytest.raises(ReviewError, match="At most 100"):
        make(reviews, *[kept] * 101)
    deaf = History(tmp_path / "deaf", keeps_audio=False)
    with pytest.raises(ReviewError, match="nobody could judge it by ear"):
        make(Reviews(deaf), keep(deaf))
    assert reviews.list(EVERYBODY) == ()


def test_whoever_has_the_link_can_join_and_is_known_again(history: History, reviews: Reviews) -> None:
    review = opened(reviews, make(reviews, keep(history)))
    judge, secret = reviews.join(review, f"  Ann \n {HOSTILE} {'x' * 99}")
    assert judge.number == 1
    assert judge.name is not None
    assert judge.name.startswith("Ann '; DROP TABLE reviews; -- <script>")
    assert len(judge.name) <= LONGEST_NAME
    again = Reviews(history)
    assert again.judge(review, secret) == judge
    assert reviews.join(review, " ")[0].name is None
    other = opened(reviews, make(reviews, keep(history)))
    for wrong in ("", secret[:-1], secret[:-1] + "\n", "x" * 43, secret + "x", judge.id, HOSTILE):
        assert reviews.judge(review, wrong) is None
    assert reviews.judge(other, secret) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 32, "x" * 31 + "\n", "%", "' OR 1=1 --", "\x00" * 32, "ä" * 32])
def test_a_made_up_link_opens_nothing(history: History, reviews: Reviews, token: str) -> None:
    make(reviews, keep(history))
    assert reviews.open(token) is None


def test_a_vote_counts_once_and_is_there_after_a_restart(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history))
    review = opened(reviews, id)
    judge, _ = reviews.join(review, "Ann")
    mark = WordMark(BETA_NAME, 1, "whirled", HOSTILE)
    reviews.cast(review, judge, Ballot("best", 1, best="alpha", marks=(mark,)))
    with pytest.raises(VoteRefused, match="voted on this clip already"):
        reviews.cast(review, judge, best(who=BETA_NAME))
    history.close()
    again = Reviews(History(history.database.folder))
    (cast,) = again.casts(id, ME)
    assert (cast.judge, cast.ballot.best, again.voted(judge)) == (judge, "alpha", {1})
    assert [(each.contender, each.at, each.word) for each in cast.ballot.marks] == [(BETA_NAME, 1, "whirled")]
    assert cast.ballot.marks[0].comment.startswith("'; DROP TABLE reviews; -- <script>")
    row = again.get(id, ME)
    assert (row.judges, row.ballots) == (1, 1)


@pytest.mark.parametrize(
    "ballot",
    [
        Ballot("best", 1, best=None),
        Ballot("pairwise", 1, duels=(Duel("alpha", BETA_NAME, "both bad"),)),
        Ballot("rating", 1, ratings=(("alpha", 5), (BETA_NAME, 1))),
    ],
)
def test_each_kind_of_ballot_comes_back_as_it_was(history: History, reviews: Reviews, ballot: Ballot) -> None:
    id = make(reviews, keep(history), method=ballot.method)
    review = opened(reviews, id)
    reviews.cast(review, reviews.join(review)[0], ballot)
    assert [each.ballot for each in reviews.casts(id, ME)] == [ballot]


def test_of_twenty_votes_at_the_same_moment_one_counts(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history))
    review = opened(reviews, id)
    judge, _ = reviews.join(review)
    ready = threading.Barrier(20)

    def vote(at: int) -> bool:
        ready.wait()
        try:
            reviews.cast(review, judge, Ballot("best", 1, marks=(WordMark("alpha", at % 2, "hello", str(at)),)))
        except VoteRefused:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(vote, range(20)))
    assert taken.count(True) == 1
    (cast,) = reviews.casts(id, ME)
    assert [each.comment for each in cast.ballot.marks] == [str(taken.index(True))]


def test_judges_who_come_at_the_same_moment_have_numbers_of_their_own(history: History, reviews: Reviews) -> None:
    review = opened(reviews, make(reviews, keep(history)))
    with ThreadPoolExecutor(10) as pool:
        judges = list(pool.map(lambda _: reviews.join(review)[0], range(30)))
    assert sorted(judge.number for judge in judges) == list(range(1, 31))
    assert len({judge.id for judge in judges}) == 30


def test_a_review_takes_so_many_judges(history: History, reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_JUDGES", 2)
    review = opened(reviews, make(reviews, keep(history)))
    for _ in range(2):
        reviews.join(review)
    with pytest.raises(VoteRefused, match="takes no more"):
        reviews.join(review)


def test_a_closed_review_takes_no_votes_and_stays_closed(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history))
    review = opened(reviews, id)
    judge, secret = reviews.join(review)
    reviews.close(id, ME)
    closed_at = reviews.get(id, ME).closed_at
    for attempt in (lambda: reviews.cast(review, judge, best()), lambda: reviews.join(review)):
        with pytest.raises(VoteRefused, match="closed"):
            attempt()
    reviews.close(id, ME)
    assert reviews.get(id, ME).closed_at == closed_at
    token = reviews.get(id, ME).token
    assert token is not None
    there = reviews.open(token)
    assert there is not None
    assert there.is_closed
    assert reviews.judge(review, secret) == judge


def test_a_withdrawn_link_ends_at_once_and_a_new_one_goes_on(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history), keep(history, 1))
    old = reviews.get(id, ME).token
    assert old is not None
    review = opened(reviews, id)
    judge, secret = reviews.join(review)
    reviews.cast(review, judge, best(1))
    reviews.withdraw(id, ME)
    assert reviews.open(old) is None
    assert reviews.get(id, ME).token is None
    with pytest.raises(VoteRefused, match="withdrawn"):
        reviews.cast(review, judge, best(2))
    assert len(reviews.casts(id, ME)) == 1
    reviews.renew(id, ME)
    assert reviews.open(old) is None
    assert opened(reviews, id) == review
    assert reviews.judge(review, secret) == judge
    reviews.cast(review, judge, best(2))
    assert len(reviews.casts(id, ME)) == 2


def test_a_deleted_review_is_gone_with_its_votes(history: History, reviews: Reviews) -> None:
    id = make(reviews, keep(history))
    token = reviews.get(id, ME).token
    review = opened(reviews, id)
    judge, secret = reviews.join(review, "Ann")
    reviews.cast(review, judge, best())
    reviews.delete(id, ME)
    assert token is not None
    assert reviews.open(token) is None
    assert reviews.judge(review, secret) is None
    assert reviews.voted(judge) == frozenset()
    assert reviews.list(EVERYBODY) == ()
    with pytest.raises(VoteRefused, match="withdrawn"):
        reviews.cast(review, judge, best())


def test_more_reviews_than_stay_read_are_read_again(history: History, reviews: Reviews) -> None:
    kept = keep(history)
    ids = [make(reviews, kept, title=f"Number {at}") for at in range(store.MOST_READ + 2)]
    for _ in range(2):
        assert [reviews.review(id, ME).title for id in ids] == [f"Number {at}" for at in range(len(ids))]


def test_nobody_else_s_judge_is_taken_for_one(history: History, reviews: Reviews) -> None:
    """A judge who was made up, or judges another review, has no ballot here."""
    mine, other = (make(reviews, keep(history)) for _ in range(2))
    judge, _ = reviews.join(opened(reviews, other))
    for wrong in (judge, Judge("made up", 1)):
        with pytest.raises(VoteRefused, match="do not judge"):
            reviews.cast(opened(reviews, mine), wrong, best())
    assert reviews.casts(mine, ME) == reviews.casts(other, ME) == ()
