// Lists of numbers that go to a device together.
#include "core/upload.h"

#include <ATen/ATen.h>

#include "check.h"

using namespace adaptive;
using namespace adaptive::test;

TEST("lists of several types and lengths arrive in one piece of memory, each where any load may begin") {
  const std::vector<int64_t> ids = {3, -4, int64_t{1} << 40}, none;
  const std::vector<int32_t> labels = {-100};
  const std::vector<float> weights(17, 0.5f);
  at::Tensor idsThere, noneThere, labelsThere, weightsThere;
  Upload upload(at::kCPU);
  upload.add(labels, labelsThere);
  upload.add(none, noneThere);
  upload.add(ids, idsThere);
  upload.add(weights, weightsThere);
  upload.send();
  checkSame(labelsThere, at::tensor({-100}, at::kInt), "labels");
  checkSame(idsThere, at::tensor({int64_t{3}, int64_t{-4}, int64_t{1} << 40}), "ids");
  checkSame(weightsThere, at::full({17}, 0.5, at::kFloat), "weights");
  check(noneThere.numel() == 0 && noneThere.scalar_type() == at::kLong, "an empty list of its own type");
  for (const at::Tensor& there : {labelsThere, idsThere, weightsThere}) {
    check(there.storage().is_alias_of(labelsThere.storage()), "one piece of memory");
    check(reinterpret_cast<uintptr_t>(there.const_data_ptr()) % 64 == 0, "aligned to 64 bytes");
  }
}

TEST("what is uploaded is a copy") {
  std::vector<float> values = {1, 2};
  const at::Tensor there = uploaded(values, at::empty({0}));
  values[0] = 5;
  checkSame(there, at::tensor({1.f, 2.f}));
}
