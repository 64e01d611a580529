#include "core/session/sharded_session.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/block_memory.h"
#include "core/expect.h"

namespace adaptive {
namespace {

/// Of a tensor that is sent, so many bytes are in memory at once.
constexpr int64_t kPieceBytes = int64_t{16} << 20;
/// Where tensors begin in the file.
constexpr int64_t kAlignment = 64;

/// fn(piece of the bytes of `tensor`), piece after piece.
template <class F>
void forPiecesOf(const at::Tensor& tensor, const F& fn) {
  const at::Tensor bytes = tensor.view(-1).view(at::kByte);
  for (int64_t first = 0; first < bytes.numel(); first += kPieceBytes)
    fn(bytes.narrow(0, first, std::min(kPieceBytes, bytes.numel() - first)));
}

/// A tensor that one rank holds; at the others of the meta device.
struct Held {
  std::string name;  ///< empty: a master
  Parameter* parameter;
  at::Tensor tensor;
  int64_t owner;
};

std::vector<Held> heldTensors(const ModelSession& session, const Gathered& wanted) {
  std::vector<Held> all;
  if (wanted.masters) {
    for (Parameter* parameter : session.mastersShared)
      all.push_back({"", parameter, parameter->master(), session.zero->shards.ownerOf(parameter)});
  }
  if (wanted.optimizer) {
    for (const auto& [name, tensor] : session.optimizer->state())
      all.push_back({name, nullptr, tensor, ownerOfState(session, name)});
  }
  return all;
}

/// A file that is written piece by piece. What goes wrong is told at the end: the other ranks send on.
class Spill {
 public:
  explicit Spill(std::string path) : path_(std::move(path)) {
    file_ = std::fopen(path_.c_str(), "wb");
    noteFailure(file_ != nullptr);
  }
  ~Spill() {
    if (file_) std::fclose(file_);
    std::remove(path_.c_str());
  }
  Spill(const Spill&) = delete;
  Spill& operator=(const Spill&) = delete;

  void write(const void* data, int64_t bytes) {
    if (reason_.empty()) noteFailure(std::fwrite(data, 1, bytes, file_) == static_cast<size_t>(bytes));
    size_ += bytes;
  }
  void align() {
    static constexpr char zeros[kAlignment] = {};
    write(zeros, (kAlignment - size_ % kAlignment) % kAlignment);
  }
  int64_t size() const { return size_; }
  /// The file's bytes. Errors: IO_FAILED.
  std::unique_ptr<MappedFile> mapped() {
    if (reason_.empty()) noteFailure(std::fflush(file_) == 0);
    if (!reason_.empty()) fail("IO_FAILED", "Expected to write ", path_, ", found: ", reason_, ".");
    return std::make_unique<MappedFile>(path_);
  }

 private:
  void noteFailure(bool went) {
    if (!went) reason_ = std::strerror(errno);
  }
  std::string path_, reason_;
  std::FILE* file_ = nullptr;
  int64_t size_ = 0;
};

void sendToFirst(RankGroup& group, const std::vector<Held>& all) {
  for (const Held& held : all) {
    if (held.owner != group.rank()) continue;
    forPiecesOf(held.tensor, [&](const at::Tensor& piece) { group.send(0, piece.cpu()); });
  }
}

void receiveAtFirst(ModelSession& session, const std::vector<Held>& all, const std::string& path) {
  Spill spill(path);
  const at::Tensor buffer = at::empty({kPieceBytes}, at::kByte);
  std::vector<int64_t> begins;
  for (const Held& held : all) {
    spill.align();
    begins.push_back(spill.size());
    if (held.owner == 0) continue;
    const auto bytes = static_cast<int64_t>(held.tensor.nbytes());
    for (int64_t first = 0; first < bytes; first += kPieceBytes) {
      const at::Tensor piece = buffer.narrow(0, 0, std::min(kPieceBytes, bytes - first));
      session.ranks->receive(held.owner, piece);
      spill.write(piece.const_data_ptr(), piece.numel());
    }
  }
  if (spill.size() == 0) return;
  auto others = std::make_shared<StateOfOthers>();
  others->file = spill.mapped();
  for (size_t i = 0; i < all.size(); i++) {
    const auto& [name, parameter, tensor, owner] = all[i];
    if (owner == 0) continue;
    // Nothing writes into what is lent.
    auto* data = const_cast<char*>(others->file->data()) + begins[i];
    const at::Tensor lent = at::from_blob(data, tensor.sizes(), at::dtype(tensor.scalar_type()));
    if (parameter) {
      parameter->takeMaster(lent);
    } else {
      others->tensors.emplace(name, lent);
    }
  }
  session.ofOthers = std::move(others);
}

}  // namespace

void setZeroStage(ModelSession& session, int64_t stage) {
  expectInteger("zeroStage", stage, 0, 2);
  expectMasters(session);
  session.zero.reset();
  session.ofOthers.reset();
  if (session.ranks && stage > 0)
    session.zero.emplace(Shards(session.decoder, session.ranks->size()), stage > 1);
}

int64_t ownerOfState(const ModelSession& session, const std::string& name) {
  // "<part>.exp_avg_sq.absmax": the name of the part is the longest beginning that one has.
  std::unordered_map<std::string_view, const Parameter*> parts;
  for (const Parameter* parameter : session.decoder.trainableParameters())
    for (const ParameterPart& part : parameter->parts()) parts.emplace(part.name, parameter);
  std::string_view left = name;
  for (size_t end = left.rfind('.'); end != std::string_view::npos; end = left.rfind('.')) {
    left = left.substr(0, end);
    if (const auto found = parts.find(left); found != parts.end())
      return session.zero->shards.ownerOf(found->second);
  }
  fail("INVALID_INPUT", "Expected the name of a tensor of the optimizer, found \"", name, "\".");
}

void shareMasters(ModelSession& session) {
  if (!session.zero) return;
  for (Parameter* parameter : session.decoder.mastersApart()) {
    if (parameter->compute().is_same(parameter->master())) continue;
    session.mastersShared.push_back(parameter);
    if (session.zero->shards.ownerOf(parameter) != session.ranks->rank()) parameter->releaseMaster();
  }
  releaseBlocks();  // of the masters
}

void shareWeights(ModelSession& session) {
  if (!session.zero) return;
  at::NoGradGuard noGrad;
  std::vector<std::pair<at::Tensor, int64_t>> tensors;
  for (Parameter* parameter : session.decoder.trainableParameters()) {
    const auto& shared = session.mastersShared;
    const bool isApart = std::find(shared.begin(), shared.end(), parameter) != shared.end();
    if (isApart) parameter->refreshCompute(parameter->compute().scalar_type());
    tensors.emplace_back(isApart ? parameter->compute() : parameter->master(),
                         session.zero->shards.ownerOf(parameter));
  }
  copyFromOwners(*session.ranks, tensors);
}

void gatherAtFirst(ModelSession& session, const std::string& path, const Gathered& wanted) {
  if (!session.zero) return;
  if (!session.optimizer) fail("INVALID_INPUT", "Expected createOptimizer() first.");
  returnGathered(session);
  const std::vector<Held> all = heldTensors(session, wanted);
  if (session.ranks->rank() == 0) {
    receiveAtFirst(session, all, path);
  } else {
    sendToFirst(*session.ranks, all);
  }
}

void returnGathered(ModelSession& session) {
  if (!session.ofOthers) return;
  for (Parameter* parameter : session.mastersShared)
    if (session.zero->shards.ownerOf(parameter) != session.ranks->rank()) parameter->releaseMaster();
  session.ofOthers.reset();
}

void endSharing(ModelSession& session) {
  if (!session.zero) return;
  at::NoGradGuard noGrad;
  returnGathered(session);
  session.optimizer.reset();
  session.decoder.clearGradients();
  for (Parameter* parameter : session.mastersShared) {
    if (parameter->isMasterReleased())
      parameter->takeMaster(at::empty(parameter->master().sizes(), parameter->compute().options().dtype(
                                                                       parameter->master().scalar_type())));
    session.ranks->copyFrom(session.zero->shards.ownerOf(parameter), parameter->master())->wait();
  }
  session.ranks->rest();
  session.mastersShared.clear();
  session.zero.reset();
}

void expectMasters(const ModelSession& session) {
  for (const Parameter* parameter : session.mastersShared) {
    if (!parameter->isMasterReleased()) continue;
    fail("INVALID_INPUT",
         "Expected the whole model at this rank, found that other ranks hold the float32 weights of ",
         parameter->parts()[0].name,
         " (zeroStage). While a run goes on trainer.save() gathers them; after one that failed, open the "
         "model "
         "again.");
  }
}

}  // namespace adaptive
