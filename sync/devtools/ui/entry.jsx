// The Redux DevTools app, connected to the server that it came from and to nothing else.
//
// The app's own root asks people for the address of a server, and remembers it; here the address is
// known, so the same parts are put together without that question. What people choose to see
// (monitor, theme, section) is remembered; the connection and what came over it are not.

import React from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'react-redux';
import { applyMiddleware, createStore } from 'redux';
import { persistReducer, persistStore } from 'redux-persist';
import { PersistGate } from 'redux-persist/integration/react';
import { App, CONNECT_REQUEST, api, middlewares, rootReducer } from '@redux-devtools/app';

// Where a browser keeps nothing for pages, what was chosen is chosen again.
const storage = {
  getItem: async (key) => window.localStorage.getItem(key),
  setItem: async (key, value) => window.localStorage.setItem(key, value),
  removeItem: async (key) => window.localStorage.removeItem(key),
};

const persisted = {
  key: 'crdtstore-redux-devtools',
  storage,
  blacklist: ['connection', 'instances', 'notification', 'reports', 'socket'],
};

const { hostname, port, protocol } = window.location;
const secure = protocol === 'https:';
const connection = {
  type: 'custom',
  options: { hostname, port: Number(port) || (secure ? 443 : 80), secure },
};

const store = createStore(
  persistReducer(persisted, rootReducer),
  { connection },
  applyMiddleware(...middlewares, api),
);
const persistor = persistStore(store, null, () => store.dispatch({ type: CONNECT_REQUEST }));

createRoot(document.getElementById('root')).render(
  <Provider store={store}>
    <PersistGate loading={null} persistor={persistor}>
      <App />
    </PersistGate>
  </Provider>,
);
