"""The origin as a service: routes, what they read and answer, and the records that it takes."""
