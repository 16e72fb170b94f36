#pragma once

namespace kiln::cli {

// For --debug-memory: on stderr, the most memory that this process and the largest of its children had, and the most
// that each owner of kiln's buffers held at one time.
void print_memory_marks();

}  // namespace kiln::cli
