"""The version of this software, as written into every row and every partition's digest."""

BUILD_VERSION = "0.1.0"
