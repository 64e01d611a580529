#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace adaptive {

/// Bytes that the control groups of this process let it take still, of which its page cache is a part that
/// would be given up: the least of all groups above it. Nothing where none sets a limit, and outside Linux.
/// `root`: what /proc and /sys are read below.
std::optional<int64_t> leftInControlGroups(const std::string& root = "");

}  // namespace adaptive
