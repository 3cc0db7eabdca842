# SPDX-License-Identifier: MIT
# lwIP, from Debian's source package, on the runtime's threads, with a network port as its interface; linked by guests
# with a C library or without.

lwip-source := $(THIRD_PARTY)/lwip
lwip-includes := -Iguest/lwip -isystem $(lwip-source)/src/include
lwip-flags := $(pv-drivers-flags) $(lwip-includes)
lwip-core := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf raw stats sys tcp tcp_in tcp_out timeouts udp \
	$(addprefix ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag)) \
	$(addprefix api/,api_lib api_msg err if_api netbuf netdb netifapi sockets tcpip) netif/ethernet
lwip-own := $(wildcard guest/lwip/*.c)
$(call stamp,lwip,$(CC) DEBUG=$(DEBUG) $(lwip-flags) $(lwip-core) $(lwip-own))
$(BUILD)/flags-lwip:

$(lwip-source)/.fetched:
	$(call say,FETCH,$(lwip-source))
	$(Q)scripts/fetch-source lwip $(lwip-source) && touch $@

# newlib's headers are what lwIP asks of a C library, whether that is linked or not.
lwip-core-objects := $(lwip-core:%=$(BUILD)/lwip/%.o)
$(lwip-core-objects): $(BUILD)/lwip/%.o: $(lwip-source)/.fetched $(BUILD)/flags-lwip | $(newlib)/lib/libc.a
	$(call say,CC,lwip/$*.c)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -W%,$(lwip-flags)) -w -MD -MP -c $(lwip-source)/src/$*.c -o $@

lwip-own-objects := $(lwip-own:%.c=$(BUILD)/%.o)
$(lwip-own-objects): $(BUILD)/%.o: %.c $(lwip-source)/.fetched $(BUILD)/flags-lwip | $(newlib)/lib/libc.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(lwip-flags) -MD -MP -c $< -o $@

$(BUILD)/lwip/liblwip.a: $(lwip-core-objects) $(lwip-own-objects)
	$(call say,AR,$@)
	$(Q)rm -f $@; ar rcs $@ $^
