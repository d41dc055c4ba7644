"""The Streamlit app: its frame. The pages stand in `pages/`, one question each."""
