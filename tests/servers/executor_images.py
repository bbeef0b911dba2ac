"""Images of executors, built on the engine of the tests from its base image."""

from pathlib import Path
from typing import Final

from tests.deploy.docker_client import Docker

SCRIPT_IMAGE: Final = "ymir-test-script:local"
TINY_DETECTOR: Final = "ymir-test-tiny-detector:local"
# It does what a file of its input says; and has a program that would make its caller root.
DOCKERFILE: Final = """\
ARG BASE
FROM ${BASE}
RUN cp /bin/bash /usr/bin/rootbash && chmod 4755 /usr/bin/rootbash \\
 && mkdir /img-man && echo 'epochs: 1' > /img-man/training-template.yaml \\
 && ln -s training-template.yaml /img-man/mining-template.yaml && head -c 2000000 /dev/zero > /img-man/large
COPY start.sh /usr/bin/start.sh
"""


def script_image(docker: Docker, folder: Path) -> str:
    """Return an image without a command of its own, whose ``start.sh`` runs ``/in/script.sh``."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "start.sh").write_text("exec bash /in/script.sh\n")
    return built(docker, folder, SCRIPT_IMAGE)


def tiny_detector(docker: Docker) -> str:
    """Return the executor that comes with the installation, as an image."""
    return built(docker, Path("deploy/executors/tiny-detector"), TINY_DETECTOR, INSTALL="")


def built(docker: Docker, folder: Path, tag: str, **given: str) -> str:
    """Build a folder on the base image, without a network, and return the tag."""
    arguments = [f"--build-arg={name}={value}" for name, value in {"BASE": docker.base, **given}.items()]
    docker("build", "--network=none", f"--tag={tag}", *arguments, str(folder))
    return tag
