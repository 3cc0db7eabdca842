# SPDX-License-Identifier: MIT
# The public headers against those of libxen-dev. XEN_HEADERS: where those are.

XEN_HEADERS ?= /usr/include/xen

.PHONY: test-abi
test-abi: ## the public headers against libxen-dev, by compiler
	@mkdir -p $(BUILD)/tests/abi
	@$(PYTHON) tests/abi/compare --ours include/public --theirs $(XEN_HEADERS) --work $(BUILD)/tests/abi
