# SPDX-License-Identifier: MIT
# What the remote service needs of Mbed TLS, from Debian's source package: TLS 1.2 with a key that both sides have.

mbedtls-source := $(THIRD_PARTY)/mbedtls
mbedtls-includes := -Idom0-tools/remote/include -isystem $(mbedtls-source)/include
mbedtls-files := bignum chacha20 chachapoly cipher cipher_wrap constant_time ecdh ecp ecp_curves entropy hmac_drbg md \
	platform platform_util poly1305 sha256 ssl_ciphersuites ssl_msg ssl_srv ssl_tls
mbedtls-objects := $(mbedtls-files:%=$(BUILD)/mbedtls/%.o)

$(mbedtls-source)/.fetched:
	$(call say,FETCH,$(mbedtls-source))
	$(Q)scripts/fetch-source mbedtls $(mbedtls-source) && touch $@

# $(1): flags
define mbedtls
$$(call stamp,mbedtls,$$(CC) $(1) $$(mbedtls-files))
$$(BUILD)/flags-mbedtls:
$$(mbedtls-objects): $$(BUILD)/mbedtls/%.o: $$(mbedtls-source)/.fetched $$(BUILD)/flags-mbedtls dom0-tools/remote/include/mbedtls/config.h \
		| $$(newlib)/lib/libc.a
	$$(call say,CC,mbedtls/$$*.c)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $(1) -c $$(mbedtls-source)/library/$$*.c -o $$@

$$(BUILD)/mbedtls/libmbedtls.a: $$(mbedtls-objects)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; ar rcs $$@ $$^
endef
