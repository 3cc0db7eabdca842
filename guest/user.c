/* SPDX-License-Identifier: MIT */
#include <guest/user.h>
#include <guest/event.h>
#include <guest/hypercall.h>
#include <guest/memory.h>

#define EINVAL	 22
#define ENOMEM	 12
#define USER_END (1ul << 39)

long user_switch(unsigned long rip, unsigned long rsp, unsigned long argument);

long user_space_create(struct user_space *space)
{
	long error = -ENOMEM;

	space->root = page_table_alloc();
	if (!space->root)
		return error;
	space->l3 = page_table_alloc();
	if (!space->l3)
		goto free_root;
	/* Only a validated table can be filled through the hypervisor. */
	error = page_pin(space->l3, 3);
	if (error)
		goto free_l3;
	error = page_pin(space->root, 4);
	if (error)
		goto unpin_l3;
	error = page_table_set(space->root, 0, pte_make(virt_to_mfn(space->l3), PTE_TABLE));
	if (!error)
		return 0;
	page_unpin(space->root);
unpin_l3:
	page_unpin(space->l3);
free_l3:
	page_table_free(space->l3);
free_root:
	page_table_free(space->root);
	return error;
}

long user_space_map(struct user_space *space, unsigned long va, unsigned long mfn, uint64_t flags)
{
	if (va >= USER_END)
		return -EINVAL;
	return page_map(space->root, va, pte_make(mfn, flags | PTE_US), DOMID_SELF);
}

long user_space_activate(struct user_space *space)
{
	long error = page_table_set(page_root, 0, pte_make(virt_to_mfn(space->l3), PTE_TABLE));

	if (!error)
		error = page_user_root_switch(space->root);
	return error ? error : tlb_flush();
}

/* Tables of one level and those below; the frames that level 1 maps stay. */
static void free_tables(uint64_t *table, unsigned int level)
{
	for (unsigned int i = 0; level > 1 && i < 512; i++) {
		uint64_t entry = table[i];

		if (!(entry & PTE_P))
			continue;
		page_table_set(table, i, 0);
		free_tables(mfn_to_virt(pte_mfn(entry)), level - 1);
	}
	page_table_free(table);
}

void user_space_destroy(struct user_space *space)
{
	page_table_set(space->root, 0, 0);
	page_unpin(space->root);
	page_unpin(space->l3);
	page_table_free(space->root);
	/* Nothing refers to it now: an ordinary page, but still read-only and its entries still references. */
	free_tables(space->l3, 3);
}

long user_run(unsigned long rip, unsigned long rsp, unsigned long argument)
{
	bool masked = events_save();
	long value = user_switch(rip, rsp, argument);

	events_restore(masked);
	return value;
}
