"""Names of published weights; the table's entries are those of mmengine 0.10."""

import logging
import re

import pytest

from jaxseg.weights import zoo
from jaxseg.weights.download import DownloadError
from jaxseg.weights.zoo import url_of


@pytest.mark.parametrize("url", [*zoo._URLS.values(), *zoo._FILES.values()])
def test_every_file_of_the_tables_can_be_verified(url):
    assert re.fullmatch(r"https://[a-z.]+/\S+-[0-9a-f]{8}\.pth", url)


@pytest.mark.parametrize(
    "source, name",
    [
        ("open-mmlab://resnet50_v1c", "resnet50_v1c-2cccc1ad.pth"),
        ("openmmlab://resnet50_v1c", "resnet50_v1c-2cccc1ad.pth"),
        ("torchvision://resnet101", "resnet101-63fe2227.pth"),
        ("mmcls://resnet50", "resnet50_8xb32_in1k_20210831-ea4938fc.pth"),
        ("mmpretrain://resnet50", "resnet50_8xb32_in1k_20210831-ea4938fc.pth"),
        ("https://a.example/x-01234567.pth", "x-01234567.pth"),
    ],
)
def test_names_and_urls(source, name):
    assert url_of(source).rpartition("/")[2] == name


@pytest.mark.parametrize(
    "source, nearest",
    [
        ("open-mmlab://resnet50_vc1", "open-mmlab://resnet50_v1c"),
        ("torchvison://resnet50", "torchvision://resnet50"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(source, nearest):
    with pytest.raises(DownloadError, match=f"{source} is not known.*'{nearest}'"):
        url_of(source)


@pytest.mark.parametrize("source", ["ftp://a.example/x-01234567.pth", "file:///etc"])
def test_only_http_is_a_url(source):
    with pytest.raises(DownloadError, match="is not known"):
        url_of(source)


def test_a_file_that_mmsegs_converter_would_make_has_a_published_origin(caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    url = url_of("pretrain/vit_large_p16.pth")
    assert url.endswith("/v0.1-vitjx/jx_vit_large_p16_384-b3be5167.pth")
    assert f"pretrain/vit_large_p16.pth is not there: taken from {url}" in caplog.text
    assert url_of("pretrain/my_own.pth") is None
