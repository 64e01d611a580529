// The CUDA runtime that is linked into the plugin (libcudart_static.a) calls these. glibc 2.34 moved them into libc.so.6 under a new
// version, which is what a newer Linux would bind them to; each stand-in goes on to the old version, which all have kept. The linker
// takes it by --wrap: scripts/cuda/old-glibc.mjs reads the names here. See old_glibc.cpp for those of the addon.

#if defined(__x86_64__)
#define OLDEST GLIBC_2.2.5
#define DLMOPEN GLIBC_2.3.4
#define TO(symbol) endbr64; jmp symbol@PLT
#elif defined(__aarch64__)
#define OLDEST GLIBC_2.17
#define DLMOPEN GLIBC_2.17
#define TO(symbol) hint 34; b symbol
#else
#error "Expected x86-64 or aarch64."
#endif

#define OLD(name, version) \
  .symver old_##name, name@version; \
  .globl __wrap_##name; \
  .hidden __wrap_##name; \
  .type __wrap_##name, %function; \
  __wrap_##name: TO(old_##name)

.text
OLD(dlclose, OLDEST)
OLD(dlmopen, DLMOPEN)
OLD(dlvsym, OLDEST)
OLD(pthread_condattr_setpshared, OLDEST)
OLD(pthread_create, OLDEST)
OLD(pthread_detach, OLDEST)
OLD(pthread_getspecific, OLDEST)
OLD(pthread_join, OLDEST)
OLD(pthread_key_create, OLDEST)
OLD(pthread_key_delete, OLDEST)
OLD(pthread_kill, OLDEST)
OLD(pthread_mutex_trylock, OLDEST)
OLD(pthread_mutexattr_destroy, OLDEST)
OLD(pthread_mutexattr_init, OLDEST)
OLD(pthread_mutexattr_setpshared, OLDEST)
OLD(pthread_mutexattr_settype, OLDEST)
OLD(pthread_once, OLDEST)
OLD(pthread_rwlock_destroy, OLDEST)
OLD(pthread_rwlock_init, OLDEST)
OLD(pthread_rwlock_rdlock, OLDEST)
OLD(pthread_rwlock_timedrdlock, OLDEST)
OLD(pthread_rwlock_timedwrlock, OLDEST)
OLD(pthread_rwlock_tryrdlock, OLDEST)
OLD(pthread_rwlock_trywrlock, OLDEST)
OLD(pthread_rwlock_unlock, OLDEST)
OLD(pthread_rwlock_wrlock, OLDEST)
OLD(pthread_rwlockattr_destroy, OLDEST)
OLD(pthread_rwlockattr_init, OLDEST)
OLD(pthread_rwlockattr_setpshared, OLDEST)
OLD(pthread_setspecific, OLDEST)
OLD(pthread_spin_destroy, OLDEST)
OLD(pthread_spin_init, OLDEST)
OLD(pthread_spin_lock, OLDEST)
OLD(pthread_spin_trylock, OLDEST)
OLD(pthread_spin_unlock, OLDEST)
OLD(sem_destroy, OLDEST)
OLD(sem_init, OLDEST)
OLD(sem_post, OLDEST)
OLD(sem_timedwait, OLDEST)
OLD(sem_trywait, OLDEST)
OLD(sem_wait, OLDEST)
OLD(shm_open, OLDEST)
OLD(shm_unlink, OLDEST)

.section .note.GNU-stack, "", %progbits
