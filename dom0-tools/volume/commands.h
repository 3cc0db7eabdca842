/* SPDX-License-Identifier: MIT */
/* The shell's commands about the volume and its images. */
#ifndef VOLUME_COMMANDS_H
#define VOLUME_COMMANDS_H

int run_volume(int argc, char **argv);
int run_image(int argc, char **argv);

#endif
