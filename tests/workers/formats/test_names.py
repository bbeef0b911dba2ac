"""The names of formats, as those who ask for a task are told them."""

import re

import pytest

from schemas.exchange_parameters import ExportParameters, ImportParameters
from schemas.schema import Schema
from workers.formats.registry import EXPORTERS, READERS


@pytest.mark.parametrize(("parameters", "names"), [(ImportParameters, READERS), (ExportParameters, EXPORTERS)])
def test_every_format_is_named_where_it_is_asked_for(parameters: type[Schema], names: dict[str, object]) -> None:
    told = parameters.model_fields["format"].description or ""

    assert set(re.findall("``([^`]+)``", told)) == set(names)
