#include "cpu/parallel_for.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

namespace seco::cpu {
namespace {

class Pool {
  public:
    // Runs `task` on up to `count` pool threads, besides whoever waits for it.
    void submit(int count, const std::function<void()>& task) {
        std::lock_guard lock(mutex_);
        for (int i = 0; i < count; ++i) tasks_.push_back(task);
        // Idle threads first; new ones only for what they cannot take, as far as the system has any: the
        // caller works too, and a late helper finds nothing left.
        try {
            for (int missing = static_cast<int>(tasks_.size()) - idle_; missing > 0 && threads_ < kMaxThreads;
                 --missing) {
                std::thread([this] { work(); }).detach();
                ++threads_;
            }
        } catch (const std::system_error&) {  // what no thread would take is not kept
            tasks_.resize(std::min(tasks_.size(), static_cast<size_t>(threads_)));
        }
        wake_.notify_all();
    }

    const pid_t owner = getpid();

  private:
    static constexpr int kMaxThreads = 256;

    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            ++idle_;
            wake_.wait(lock, [this] { return !tasks_.empty(); });
            --idle_;
            auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> tasks_;
    int idle_ = 0;
    int threads_ = 0;
};

// Never destroyed: its threads are detached and may outlive main(). A forked child has none of its parent's
// threads, so it starts a pool of its own. No lock: the child would wait for one that was held at the fork.
Pool& pool() {
    static std::atomic<Pool*> instance{nullptr};
    Pool* current = instance;
    if (current == nullptr || current->owner != getpid()) {
        auto fresh = std::make_unique<Pool>();
        if (instance.compare_exchange_strong(current, fresh.get())) return *fresh.release();
    }
    return *current;  // that of the thread that was faster, if one was
}

// One call's items, shared by the threads that work on it. It outlives the call for as long as a late helper,
// which then finds no item left, still holds it.
struct Job {
    Job(int64_t count, const std::function<void(int64_t)>& body) : count(count), body(&body) {}

    void run() {
        for (int64_t i; (i = next.fetch_add(1)) < count;) {
            try {
                (*body)(i);
            } catch (...) {
                std::lock_guard lock(mutex);
                if (failed_item < 0 || i < failed_item) {
                    failed_item = i;
                    error = std::current_exception();
                }
            }
            if (done.fetch_add(1) + 1 == count) {
                std::lock_guard lock(mutex);
                finished.notify_all();
            }
        }
    }

    void wait() {
        std::unique_lock lock(mutex);
        finished.wait(lock, [this] { return done.load() == count; });
        if (error) std::rethrow_exception(error);
    }

    const int64_t count;
    const std::function<void(int64_t)>* body;
    std::atomic<int64_t> next{0};
    std::atomic<int64_t> done{0};
    std::mutex mutex;
    std::condition_variable finished;
    int64_t failed_item = -1;
    std::exception_ptr error;
};

}  // namespace

void parallel_for(int64_t count, int threads, const std::function<void(int64_t)>& body) {
    if (count <= 0) return;
    if (threads <= 1 || count == 1) {
        for (int64_t i = 0; i < count; ++i) body(i);
        return;
    }
    auto job = std::make_shared<Job>(count, body);
    pool().submit(static_cast<int>(std::min<int64_t>(threads, count)) - 1, [job] { job->run(); });
    job->run();
    job->wait();
}

}  // namespace seco::cpu
