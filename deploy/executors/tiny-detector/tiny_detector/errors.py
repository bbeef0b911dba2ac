"""What can go wrong, with the return code that the contract has for it."""


class ExecutorError(Exception):
    """Work cannot go on; the message says where and what to do.

    ExecutorError
    ├── ConfigError       300001  env.yaml or config.yaml
    ├── DatasetError      300002  index files and annotations
    ├── ImageError        300003  an image that cannot be read
    ├── ModelError        300004  model files
    └── ObjectTypeError   300005  anything but detection
    """

    code = 160004


class ConfigError(ExecutorError):
    code = 300001


class DatasetError(ExecutorError):
    code = 300002


class ImageError(ExecutorError):
    code = 300003


class ModelError(ExecutorError):
    code = 300004


class ObjectTypeError(ExecutorError):
    code = 300005
