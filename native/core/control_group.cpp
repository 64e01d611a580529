#include "core/control_group.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace adaptive {
namespace {

/// The files of a version: what they are called, and where its hierarchy is mounted.
struct Version {
  std::string mount, usage, cache;
  std::vector<std::string> limits;
};

const Version kFirst = {
    "/sys/fs/cgroup/memory", "memory.usage_in_bytes", "total_inactive_file", {"memory.limit_in_bytes"}};
const Version kSecond = {"/sys/fs/cgroup", "memory.current", "inactive_file", {"memory.max", "memory.high"}};

/// Nothing for a file that is not there, and for "max".
std::optional<int64_t> numberIn(const std::string& path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

int64_t fieldIn(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string key;
  for (int64_t value = 0; file >> key >> value;)
    if (key == name) return value;
  return 0;
}

void takeLeast(std::optional<int64_t>& least, int64_t value) {
  least = std::min(least.value_or(value), value);
}

/// What is left in one group.
std::optional<int64_t> leftIn(const std::string& dir, const Version& version) {
  std::optional<int64_t> limit;
  for (const std::string& file : version.limits)
    if (const auto found = numberIn(dir + "/" + file)) takeLeast(limit, *found);
  constexpr int64_t kNoLimit = int64_t{1} << 60;  // the first version has no word for it
  if (!limit || *limit >= kNoLimit) return std::nullopt;
  const int64_t used = numberIn(dir + "/" + version.usage).value_or(0);
  return std::max<int64_t>(0, *limit - used + fieldIn(dir + "/memory.stat", version.cache));
}

}  // namespace

std::optional<int64_t> leftInControlGroups(const std::string& root) {
  std::optional<int64_t> least;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    // number:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos || second + 1 == line.size() || line[second + 1] != '/') continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool isSecond = controllers == ",,";
    if (!isSecond && controllers.find(",memory,") == std::string::npos) continue;
    const Version& version = isSecond ? kSecond : kFirst;
    // In a container the path may be that of the host, and the mount the group itself.
    for (std::string path = line.substr(second + 1); !path.empty(); path.erase(path.rfind('/')))
      if (const auto left = leftIn(root + version.mount + path, version)) takeLeast(least, *left);
    if (const auto left = leftIn(root + version.mount, version)) takeLeast(least, *left);
  }
  return least;
}

}  // namespace adaptive
