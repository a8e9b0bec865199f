# Where Grafana is. No secret says so: anyone who can write to one could have the admin's token sent elsewhere.

# grafana_url = "https://..."
