# Where Grafana is. No secret says so: whoever can write to one could have the admin's token sent elsewhere.

# grafana_url = "https://..."
