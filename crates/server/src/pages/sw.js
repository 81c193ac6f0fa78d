// Shows a notice that was pushed, and leads to the inbox where it is pressed. It sees no page of ours and changes none:
// its scope is the folder of this file.
'use strict'

const inbox = new URL('../inbox', self.location).href

self.addEventListener('push', (event) => {
  const { title, body } = event.data.json()
  // One at a time: the next takes its place.
  event.waitUntil(self.registration.showNotification(title, { body, tag: 'waypass-inbox', renotify: true }))
})

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(self.clients.openWindow(inbox))
})
