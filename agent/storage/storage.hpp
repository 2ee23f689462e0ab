// The facade of storage.
#pragma once

#include "storage/counters.hpp"
#include "storage/folder_lock.hpp"
#include "storage/journal.hpp"
#include "storage/line_file.hpp"
#include "storage/space.hpp"
