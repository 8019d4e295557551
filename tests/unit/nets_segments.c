/* SPDX-License-Identifier: MIT-0 OR Unlicense
   Ten thousand random segments per certified network; the long group takes a million. */
#define SEGMENTS 10000
#include "../long/nets_segments.c"
