"""What can go wrong, with the return code that the contract has for it."""


class ExecutorError(Exception):
    """Work cannot go on; the message says where and what to do.

    ExecutorError
    ├── ConfigError       300001  env.yaml or config.yaml
    ├── DatasetError      300002  index files and annotations
    ├── ImageError        300003  an image that cannot be read
    ├── ModelError        300004  model files
    ├── ObjectTypeError   300005  anything but detection
    ├── DriverError       300101  PyTorch's CUDA and the driver do not fit
    ├── NoGpuError        300102  a GPU is asked for and there is none
    ├── MemoryShortError  300103  out of memory, of the machine or of the GPU
    └── DivergedError     300201  a loss that is no number any more
    """

    code = 160004


class ConfigError(ExecutorError):
    """env.yaml or config.yaml is missing or wrong."""

    code = 300001


class DatasetError(ExecutorError):
    """Index files or annotations are missing, broken or empty."""

    code = 300002


class ImageError(ExecutorError):
    """An image cannot be read."""

    code = 300003


class ModelError(ExecutorError):
    """Model files are missing or broken."""

    code = 300004


class ObjectTypeError(ExecutorError):
    """Something other than detection is asked for."""

    code = 300005


class DriverError(ExecutorError):
    """The CUDA that PyTorch was built for and the machine's driver do not fit."""

    code = 300101


class NoGpuError(ExecutorError):
    """A GPU is asked for and there is none."""

    code = 300102


class MemoryShortError(ExecutorError):
    """The machine's memory or the GPU's is full."""

    code = 300103


class DivergedError(ExecutorError):
    """A loss became infinite or no number at all."""

    code = 300201
