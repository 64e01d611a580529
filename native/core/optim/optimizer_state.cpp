// What an optimizer keeps between steps: where it lies, and what it is called in a file.
#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/ops/ops.h"
#include "core/optim/optimizer.h"

namespace adaptive {
namespace {

/// Whether the states have a place on `device` now.
bool placeOn(at::Device device, const std::vector<StateTensor>& states, bool mayRefuse) {
  std::vector<at::Tensor> made;
  try {
    for (const StateTensor& state : states) {
      const auto options = state.tensor->options().device(device);
      // Zeros of the host take no memory before they are written.
      made.push_back(state.fill == 0 ? at::zeros(state.tensor->sizes(), options)
                                     : at::full(state.tensor->sizes(), state.fill, options));
    }
  } catch (const c10::OutOfMemoryError&) {
    if (!mayRefuse) throw;
    return false;
  }
  for (size_t i = 0; i < states.size(); i++) *states[i].tensor = made[i];
  return true;
}

}  // namespace

at::Tensor Optimizer::withoutPlace(at::IntArrayRef sizes) {
  return at::empty(sizes, at::TensorOptions(at::kFloat).device(at::kMeta));
}

std::vector<at::Tensor> Optimizer::tensorsForSlots() const {
  std::vector<at::Tensor> tensors;
  for (const Slot& slot : slots_)
    tensors.push_back(withoutPlace(Parameter::rowsOf(slot.parameter->master(), *slot.part).sizes()));
  return tensors;
}

std::vector<std::pair<std::string, at::Tensor>> Optimizer::state() {
  if (pages_) pages_->finish();
  return namedState();
}

std::vector<std::pair<std::string, at::Tensor>> Optimizer::named(
    const char* suffix, const std::vector<at::Tensor>& tensors) const {
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (size_t i = 0; i < slots_.size(); i++) {
    if (tensors[i].defined()) out.emplace_back(slots_[i].part->name + suffix, tensors[i]);
  }
  return out;
}

std::vector<StoredMoment> Optimizer::momentsForSlots(bool inEightBits, bool isSigned) const {
  std::vector<StoredMoment> moments;
  for (at::Tensor& tensor : tensorsForSlots()) moments.emplace_back(std::move(tensor), inEightBits, isSigned);
  return moments;
}

std::vector<std::pair<std::string, at::Tensor>> Optimizer::named(
    const std::vector<std::pair<const char*, const std::vector<StoredMoment>*>>& moments) const {
  std::vector<std::pair<std::string, at::Tensor>> out;
  for (const auto& [suffix, ofSlots] : moments)
    for (size_t i = 0; i < slots_.size(); i++) (*ofSlots)[i].addState(slots_[i].part->name + suffix, out);
  return out;
}

std::vector<bool> Optimizer::slotsToPage(const std::vector<StatePages::Slot>& states,
                                         at::Device device) const {
  const Paging& paging = *options_.paging;
  std::vector<int64_t> bytes;
  int64_t buffers = 0;
  for (const StatePages::Slot& slot : states) {
    bytes.push_back(bytesOf(slot.states));
    buffers = std::max(buffers, StatePages::bufferBytes(slot, paging.pieceValues));
  }
  const int64_t free = ops::freeBytes(at::empty({0}, at::TensorOptions(device)));
  return pagedStates(bytes, roomForStates(free, options_.gradientBytes, paging), buffers);
}

void Optimizer::placeState() {
  std::vector<StatePages::Slot> states;
  std::vector<size_t> own;
  for (size_t i = 0; i < slots_.size(); i++) {
    if (!slots_[i].isOwn) continue;
    own.push_back(i);
    const at::Tensor rows = Parameter::rowsOf(slots_[i].parameter->master(), *slots_[i].part);
    states.push_back({statesOf(i), rows.numel()});
  }
  isPaged_.assign(slots_.size(), false);
  if (own.empty()) return;
  const at::Device device = slots_[own[0]].parameter->master().device();
  const bool canPage = options_.paging && !device.is_cpu();
  std::vector<bool> toPage(own.size(), false);
  if (canPage) toPage = slotsToPage(states, device);
  std::vector<StatePages::Slot> paged;
  for (size_t i = 0; i < own.size(); i++) {
    // An allocator whose memory is in pieces may refuse what would fit.
    toPage[i] = toPage[i] || !placeOn(device, states[i].states, /*mayRefuse=*/canPage);
    if (toPage[i]) paged.push_back(states[i]);
  }
  if (!paged.empty()) makePages(device, states, paged, toPage);
  for (size_t i = 0; i < own.size(); i++) {
    isPaged_[own[i]] = toPage[i];
    if (!toPage[i]) memory_.held += bytesOf(states[i].states);
  }
}

void Optimizer::makePages(at::Device device, const std::vector<StatePages::Slot>& states,
                          const std::vector<StatePages::Slot>& paged, std::vector<bool>& isPaged) {
  pages_ = std::make_unique<StatePages>(device, options_.paging->pieceValues);
  pages_->place(paged);
  while (!pages_->makeBuffers()) {
    // What stays has left no room for pieces of the rest: the largest of it goes, too.
    std::optional<size_t> largest;
    for (size_t i = 0; i < states.size(); i++) {
      if (isPaged[i]) continue;
      if (!largest || bytesOf(states[i].states) > bytesOf(states[*largest].states)) largest = i;
    }
    if (!largest)
      fail("OUT_OF_MEMORY",
           "Expected memory of the device for pieces of the optimizer's states, found none left. ",
           "An adapter (peftConfig), or a smaller model, leaves more.");
    isPaged[*largest] = true;
    pages_->place({states[*largest]});
  }
  memory_.held += pages_->bytesOfBuffers();
  memory_.paged = pages_->bytes();
  memory_.unpinned = pages_->unpinnedBytes();
}

void Optimizer::moveAll(const std::vector<Update>& updates) {
  if (!pages_) return updateAll(updates);
  std::vector<Update> staying, paged;
  std::vector<StatePages::Slot> states;
  for (const Update& u : updates) {
    (isPaged_[u.slot] ? paged : staying).push_back(u);
    if (isPaged_[u.slot]) states.push_back({statesOf(u.slot), u.weight.numel()});
  }
  pages_->run(
      states, [&] { updateAll(staying); },
      [&](size_t i, int64_t first, int64_t count) {
        Update piece = paged[i];
        piece.weight = piece.weight.view(-1).narrow(0, first, count);
        piece.gradient = piece.gradient.view(-1).narrow(0, first, count);
        // Noise comes from index ^ key, and pieces begin at multiples of a power of two that none is longer
        // than: this is the noise of first + i.
        piece.noise ^= static_cast<uint32_t>(first);
        updateAll({piece});
      });
}

}  // namespace adaptive
