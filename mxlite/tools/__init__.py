# SPDX-License-Identifier: Apache-2.0
"""Scripts that are run by their path, as those in MXNet's folder `tools`."""
