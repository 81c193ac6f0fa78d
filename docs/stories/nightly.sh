#!/bin/sh
# Builds what was merged today.
set -eu
make -C /src clean all
