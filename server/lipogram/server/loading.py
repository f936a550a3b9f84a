"""Opens the models that are to be served."""

from __future__ import annotations

from collections.abc import Sequence

from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import CausalModel
from lipogram.server.settings import SettingsError


def load(names: Sequence[str]) -> list[CausalModel]:
    """The models of these names or folders; without any, the default one.

    Raises SettingsError for a model that does not write from left to right, UnreadableExport.
    """
    models: list[CausalModel] = []
    for name in names or (embedded.DEFAULT,):
        model = embedded.load(name)
        if not isinstance(model, embedded.EmbeddedCausal):
            raise SettingsError(
                f"model {name!r} fills masks; expected one that writes from left to right"
            )
        models.append(model)
    return models
