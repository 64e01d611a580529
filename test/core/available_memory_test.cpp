// What is free, as the system, a control group and the process's own limits leave it.
#include "core/available_memory.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "check.h"
#include "core/control_group.h"

using namespace adaptive;
using namespace adaptive::test;

namespace {

/// A folder that stands for the root of a file system; removed at the end.
struct Root {
  Root() : path(std::filesystem::temp_directory_path() / ("control-groups-" + std::to_string(std::rand()))) {}
  ~Root() { std::filesystem::remove_all(path); }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((path / file).parent_path());
    std::ofstream(path / file) << text;
  }
  std::filesystem::path path;
};

}  // namespace

TEST(
    "memory: a control group of the second version leaves its limit, less what is used, and its page cache") {
  const Root root;
  root.write("proc/self/cgroup", "0::/pods/one\n");
  root.write("sys/fs/cgroup/pods/one/memory.max", "1000\n");
  root.write("sys/fs/cgroup/pods/one/memory.high", "max\n");
  root.write("sys/fs/cgroup/pods/one/memory.current", "700\n");
  root.write("sys/fs/cgroup/pods/one/memory.stat", "anon 500\nactive_file 20\ninactive_file 50\n");
  check(leftInControlGroups(root.path) == 350, "1000 - 700 + 50");
  // The group above has less left.
  root.write("sys/fs/cgroup/pods/memory.max", "2000\n");
  root.write("sys/fs/cgroup/pods/memory.current", "1900\n");
  check(leftInControlGroups(root.path) == 100, "of the group above");
  root.write("sys/fs/cgroup/pods/memory.high", "1800\n");
  check(leftInControlGroups(root.path) == 0, "above memory.high nothing is left");
}

TEST("memory: a control group of the first version, seen from inside a container") {
  const Root root;
  root.write("proc/self/cgroup", "5:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n");
  check(!leftInControlGroups(root.path), "no files, no limit");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "10\n");
  check(!leftInControlGroups(root.path), "the largest number is no limit");
  root.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "500\n");
  root.write("sys/fs/cgroup/memory/memory.stat", "cache 9\ninactive_file 3\ntotal_inactive_file 7\n");
  check(leftInControlGroups(root.path) == 497, "500 - 10 + 7");
}

TEST("memory: something is available here, and what is left counts what malloc holds") {
  check(availableMemory() > 0, "available");
  check(memoryLeft() > 0, "left");
  check(reusableMemory() >= 0, "reusable");
}
