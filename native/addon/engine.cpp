#include "addon/engine.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <thread>

#include "addon/errors.h"
#include "core/wait_policy.h"

namespace adaptive::addon {
namespace {

/// How long an exit may wait for the task that runs: longer than a step of a small model.
constexpr std::chrono::seconds kPatience{2};

/// Process-wide: every environment (worker threads have their own) feeds the same thread.
class Thread {
 public:
  static Thread& instance() {
    static Thread* thread = new Thread();  // never destroyed: no order of static destructors to get wrong
    return *thread;
  }

  void enter() {
    std::lock_guard lock(mutex_);
    users_++;
    if (started_) return;
    started_ = true;
    // Never joined: ending it would tear down its OpenMP team while the process exits around it.
    std::thread([this] { loop(); }).detach();
  }

  /// The last environment to go waits for the task that runs and drops the others, so that libtorch is at
  /// rest when the process exits.
  void leave() {
    std::unique_lock lock(mutex_);
    if (--users_ > 0) return;
    lock.unlock();
    rest();
  }

  void rest() {
    std::unique_lock lock(mutex_);
    tasks_.clear();
    idle_.wait(lock, [this] { return !running_; });
  }

  bool restsWithin(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    tasks_.clear();
    return idle_.wait_for(lock, patience, [this] { return !running_; });
  }

  void push(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      running_ = true;
      lock.unlock();
      waiting_.begin();
      task();
      task = nullptr;
      waiting_.end();
      lock.lock();
      running_ = false;
      idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<std::function<void()>> tasks_;
  int users_ = 0;
  bool started_ = false, running_ = false;
  WaitPolicy& waiting_ = WaitPolicy::ofProcess();
};

/// One environment's way back from the engine thread.
struct Port {
  explicit Port(Napi::Env env)
      : back(Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}),
                                           "adaptive-trainer", 0, 1)) {
    back.Unref(env);
  }
  Napi::ThreadSafeFunction back;
  int pending = 0;  // touched on the JavaScript thread only
  std::mutex mutex;
  bool closed = false;  // once the environment goes away, `back` must not be called any more
};

struct Job {
  Job(Napi::Env env, std::shared_ptr<Port> port)
      : deferred(Napi::Promise::Deferred::New(env)), port(std::move(port)) {}
  Napi::Promise::Deferred deferred;
  std::shared_ptr<Port> port;
  ToJs result;
  std::optional<Failure> failure;
};

void settle(Napi::Env env, Job& job) {
  if (job.failure) {
    job.deferred.Reject(toJsError(env, *job.failure));
    return;
  }
  try {
    job.deferred.Resolve(job.result(env));
  } catch (const Napi::Error& error) {
    job.deferred.Reject(error.Value());
  } catch (...) {
    job.deferred.Reject(toJsError(env, currentFailure()));
  }
}

void finish(Napi::Env env, Job& job) {
  try {
    // A pending promise keeps the process alive; an idle engine does not.
    if (--job.port->pending == 0) job.port->back.Unref(env);
    Napi::HandleScope scope(env);
    settle(env, job);
  } catch (const Napi::Error&) {
    // A worker that is being terminated still gets its callbacks, but may not make values any more. No code
    // waits for the promise there.
  }
}

}  // namespace

void Engine::attach(Napi::Env env) {
  const auto port = std::make_shared<Port>(env);
  env.SetInstanceData<std::shared_ptr<Port>>(new std::shared_ptr<Port>(port));
  Thread::instance().enter();
  env.AddCleanupHook([port] {
    {
      std::lock_guard lock(port->mutex);
      port->closed = true;
    }
    Thread::instance().leave();
  });
}

void Engine::restOrExit(int status) {
  if (!Thread::instance().restsWithin(kPatience)) std::_Exit(status);
}

Napi::Promise Engine::run(Napi::Env env, std::function<ToJs()> work) {
  const std::shared_ptr<Port> port = *env.GetInstanceData<std::shared_ptr<Port>>();
  auto job = std::make_unique<Job>(env, port);
  const Napi::Promise promise = job->deferred.Promise();
  if (port->pending++ == 0) port->back.Ref(env);
  // std::function wants something copyable; the job itself moves on by pointer and comes back to be freed in
  // finish.
  Thread::instance().push([raw = job.release(), work = std::move(work)]() mutable {
    try {
      raw->result = work();
    } catch (...) {
      raw->failure = currentFailure();
    }
    work = nullptr;  // frees tensors on this thread
    // The environment is closed: its deferred must not be touched on another thread, so the job is leaked.
    std::lock_guard lock(raw->port->mutex);
    if (raw->port->closed) return;
    raw->port->back.BlockingCall(raw, [](Napi::Env env, Napi::Function, Job* done) {
      const std::unique_ptr<Job> owned(done);
      if (env != nullptr) finish(env, *owned);
    });
  });
  return promise;
}

}  // namespace adaptive::addon
