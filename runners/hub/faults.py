"""What went wrong between here and the Hugging Face hub, in our words: the client's own can hold addresses with signatures."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from runners.base import RunnerSpec, WeightsUnavailable
from runners.hub import cache


def explained(error: Exception, spec: RunnerSpec) -> WeightsUnavailable:
    """The fault that an error of the client, or of the disk, is."""
    model, chain = spec.model, list(_causes(error))
    names = {cls.__name__ for each in chain for cls in type(each).__mro__}
    page = f"https://huggingface.co/{model}"
    if "GatedRepoError" in names:
        return WeightsUnavailable(
            f"{model} asks for its licence to be accepted.",
            f"Accept it at {page}, then log in here: hf auth login, or set HF_TOKEN.",
        )
    if "RevisionNotFoundError" in names:
        return WeightsUnavailable(f"{model} has no revision {spec.revision!r}.", f"Choose one from {page}.")
    if "RepositoryNotFoundError" in names:
        return WeightsUnavailable(
            f"There is no model {model} on the hub, or it is private.",
            "Check the spelling; for a private one log in here: hf auth login, or set HF_TOKEN.",
        )
    if any(isinstance(each, OSError) and each.errno in {errno.ENOSPC, errno.EDQUOT} for each in chain):
        return WeightsUnavailable(
            f"There is no room on the disk for {model}.", f"Free some on the disk of {cache.cache_folder()}, or set HF_HOME."
        )
    if any(isinstance(each, OSError) and each.errno in {errno.EACCES, errno.EROFS, errno.EPERM} for each in chain):
        return WeightsUnavailable(f"The folder {cache.cache_folder()} cannot be written.", "Set HF_HOME to a folder that can.")
    status = next((code for each in chain if (code := _status(each)) is not None), None)
    if status in {401, 403}:
        return WeightsUnavailable(f"The hub refused {model} ({status}).", "Log in here: hf auth login, or set HF_TOKEN.")
    if status == 429:
        return WeightsUnavailable("The hub has been asked too often (429).", "Try again in a few minutes, or log in here.")
    if status is not None:
        return WeightsUnavailable(f"The hub answered {model} with an error ({status}).", "Try again later.")
    if "DamagedFile" in names:
        return WeightsUnavailable(
            f"What came of {model} is not what the hub says it is.", "Try again; look at proxies between."
        )
    unreached = {"ConnectError", "TimeoutException", "ConnectionError", "OfflineModeIsEnabled", "NetworkError", "ProxyError"}
    if names & (unreached | {"_CutShort", "RemoteProtocolError"}):
        return WeightsUnavailable("The hub cannot be reached.", "Check the network, or name a folder with the weights.")
    return WeightsUnavailable(f"{model} could not be downloaded ({type(error).__name__}).", "Try again, or name a folder.")


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None
