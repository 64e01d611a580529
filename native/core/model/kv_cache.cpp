#include "core/model/kv_cache.h"

#include <ATen/ATen.h>

namespace adaptive {
namespace {

/// Room for `needed` positions; doubling keeps the copies linear in the length of the sequence.
void ensureCapacity(at::Tensor& store, const at::Tensor& like, int64_t used, int64_t needed) {
  if (store.defined() && store.size(0) >= needed) return;
  const int64_t capacity = std::max<int64_t>({64, needed, store.defined() ? 2 * store.size(0) : 0});
  at::Tensor larger = at::empty({capacity, like.size(1), like.size(2)}, like.options());
  if (used > 0) larger.narrow(0, 0, used).copy_(store.narrow(0, 0, used));
  store = larger;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> KvCache::append(int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  const int64_t count = k.size(0), total = length_ + count;
  ensureCapacity(keys_[layer], k, length_, total);
  ensureCapacity(values_[layer], v, length_, total);
  keys_[layer].narrow(0, length_, count).copy_(k);
  values_[layer].narrow(0, length_, count).copy_(v);
  return {keys_[layer].narrow(0, 0, total), values_[layer].narrow(0, 0, total)};
}

}  // namespace adaptive
