// Sessions that train some steps, on the device of the tests or on the CPU.
#pragma once
#include <memory>

#include "core/io/stored_tensor.h"
#include "core/model/load_weights.h"
#include "core/session/model_session.h"

namespace adaptive::test {

struct Kind {
  std::string name;
  DecoderConfig config;
  std::string optimizer = "adamw";
  SessionTypes types = {};
  bool adapter = false, dropout = false;
  double tolerance = 2e-5;
  /// What the projections of the base are kept in; beside an adapter.
  std::optional<Quantization> base = {};
  bool magnitude = false;  ///< of the adapter
  std::optional<Paging> paging = {};
  std::vector<std::string> frozen = {};
};

/// Two rows of several tokens.
const MicroBatch& someRows();

/// A session with weights that are the same on both, and an optimizer.
std::unique_ptr<ModelSession> opened(const Kind& kind, bool onDevice);

struct Trained {
  std::unique_ptr<ModelSession> session;
  std::vector<double> losses, norms;
};
/// Three steps.
Trained trained(const Kind& kind, bool onDevice);

/// Writes tensors to a file, to be read from it.
WeightFile written(const std::string& path, const std::vector<std::pair<std::string, at::Tensor>>& tensors);

/// A folder that lives as long as it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace adaptive::test
