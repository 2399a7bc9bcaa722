"""The fleet: enrolment, link sessions, the log's application, documents going down."""
